/** A message of a newer schema version waits for a process that knows it. */
import { expect, test } from "bun:test";
import { handler, topic } from "cauce";
import * as v from "valibot";
import { recordOf } from "../../runtime/engine/emit.ts";
import { LIMITS } from "../../runtime/engine/limits.ts";
import { Numbered, numbers, stage } from "./stage.ts";

const newer = topic(numbers.name, { schema: v.looseObject({ id: v.string(), n: v.object({ at: v.number() }) }), version: 2, key: ({ id }) => id, partitions: 3 }); // prettier-ignore
const envelope = { id: "m1", source: "/test", bornAtMs: 1_000, traceparent: null };
const written = () => recordOf(newer, { id: "a", n: { at: 1 } }, envelope);

test("an older process puts it back with a delay, spends nothing, and reads nothing of it, however old it is", async () => {
  let runs = 0;
  const older = handler({ name: "older", on: numbers, maxAge: "1s", handle: () => void runs++ });
  const { bus, settled, store } = await stage(older);
  await bus.publish([await written()]);
  await settled(1);
  expect(store.scheduled).toMatchObject([
    {
      kind: "retry",
      reason: "newer_schema",
      error: "written by version 2 of numbers's schema; this process knows version 1",
      attempts: 0,
      deferrals: 0,
      delivery: 1,
      delayMs: LIMITS.newerSchemaMs,
      record: { topic: "numbers.older.retry" },
    },
  ]);
  // It comes back, and waits again under its next delivery.
  await bus.publish(store.scheduled.map(({ record }) => record));
  await settled(2);
  expect(store.scheduled[1]).toMatchObject({ attempts: 0, deferrals: 0, delivery: 2 });
  expect(store.buried).toEqual([]);
  expect(runs).toBe(0);
});

test("a process that knows the version reads it, also after it waited, and older messages too", async () => {
  const seen: unknown[] = [];
  const both = topic(numbers.name, { schema: v.looseObject({ id: v.string() }), version: 2, partitions: 3 });
  const knowing = handler({ name: "older", on: both, handle: ({ value }) => void seen.push(value) });
  const old = handler({ name: "older", on: numbers, handle: () => undefined });
  const before = await stage(old);
  await before.bus.publish([await written()]);
  await before.settled(1);
  await before.consumer.stop(1_000);
  const after = await stage(knowing, { broker: before.broker });
  await after.bus.publish(before.store.scheduled.map(({ record }) => record));
  await after.send({ id: "b", n: 1 });
  await after.settled(2);
  expect(seen).toEqual(expect.arrayContaining([{ id: "a", n: { at: 1 } }, { id: "b", n: 1 }])); // prettier-ignore
});

test("version 1 says nothing in headers, later ones do, and a bad version is refused", async () => {
  const first = await recordOf(numbers, { id: "a", n: 1 }, envelope);
  expect(first.headers.some(([name]) => name === "cauce_schema")).toBe(false);
  const header = (await written()).headers.find(([name]) => name === "cauce_schema");
  expect(new TextDecoder().decode(header?.[1] ?? new Uint8Array())).toBe("2");
  for (const version of [0, 1.5, -1, 2_000_000])
    expect(() => topic("t", { schema: Numbered, version })).toThrow("version must be a whole number");
});
