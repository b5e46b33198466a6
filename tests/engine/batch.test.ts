/** Handlers of batches: what runs together, and what becomes of each message. */
import { expect, test } from "bun:test";
import { GiveUp, handler, RetryAfter, Unavailable } from "cauce";
import { CauceError } from "../../runtime/ground/errors.ts";
import { committedTotal, doubled, numbers, stage } from "./stage.ts";

const decode = (bytes: Uint8Array | null) => JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array()));

test("messages of a partition come together, in order, at most as many as declared, and all are committed", async () => {
  const batches: number[][] = [];
  const sink = handler({
    name: "sink",
    on: numbers,
    batch: { max: 10, within: "20ms" },
    handle(messages) {
      batches.push(messages.map(({ value }) => value.n));
    },
  });
  const { send, settled, consumer, broker } = await stage(sink);
  for (let n = 0; n < 25; n++) await send({ id: "same", n });
  await settled(25);
  expect(batches.flat()).toEqual([...Array(25).keys()]);
  expect(batches.map((batch) => batch.length)).toEqual([10, 10, 5]);
  await consumer.stop(1_000);
  expect(committedTotal(broker, sink)).toBe(25);
});

test("results stand at their message's place: outputs, nothing, or a failure that repeats its own message alone", async () => {
  const sink = handler({
    name: "mixed",
    on: numbers,
    out: { doubled },
    batch: { max: 4, within: "1s" },
    handle: (messages, { out, fail }) =>
      messages.map(({ value }) => {
        if (value.n === 1) return fail(new TypeError("boom"));
        if (value.n === 2) return undefined;
        return [out.doubled(value), out.doubled({ ...value, n: value.n + 100 })];
      }),
  });
  const { send, settled, store, broker, consumer } = await stage(sink);
  for (let n = 0; n < 4; n++) await send({ id: "same", n });
  const outcomes = await settled(4);
  expect(outcomes.map(({ kind }) => kind)).toEqual(["done", "retry", "done", "done"]);
  expect(store.scheduled).toMatchObject([{ reason: "TypeError", error: "boom", attempts: 1 }]);
  expect(broker.records("doubled").map(({ value }): number => decode(value).n)).toEqual([0, 100, 3, 103]);
  // Ids follow from each input's own: no two outputs share one.
  const ids = broker.records("doubled").map(({ headers }) => String(headers.find(([name]) => name === "ce_id")?.[1])); // prettier-ignore
  expect(new Set(ids).size).toBe(4);
  await consumer.stop(1_000);
  expect(committedTotal(broker, sink)).toBe(4);
});

test("what a run throws fails all its messages once; each comes back alone, so poison takes no other with it", async () => {
  const sizes: number[] = [];
  const sink = handler({
    name: "bulk",
    on: numbers,
    batch: { max: 5, within: "1s" },
    retry: [[Error, { delay: "constant", base: "1s", attempts: 2 }]],
    handle(messages) {
      sizes.push(messages.length);
      if (messages.some(({ value }) => value.n === 3)) throw new Error("the insert failed");
    },
  });
  const { send, settled, store, bus } = await stage(sink);
  for (let n = 0; n < 5; n++) await send({ id: "same", n });
  await settled(5);
  expect(store.scheduled).toHaveLength(5);
  await bus.publish(store.scheduled.map(({ record }) => record));
  const outcomes = await settled(10);
  expect(sizes).toEqual([5, 1, 1, 1, 1, 1]);
  expect(outcomes.slice(5).map(({ kind }) => kind)).toEqual(["done", "done", "done", "dead", "done"]);
  expect(store.buried).toMatchObject([{ cause: "Error", attempts: 2 }]);
});

test("a message nobody can read is a dead letter, and the others of its batch go on", async () => {
  const seen: number[] = [];
  const sink = handler({
    name: "reading",
    on: numbers,
    order: { by: "none" },
    batch: { max: 3, within: "30ms" },
    handle: (messages) => void seen.push(...messages.map(({ value }) => value.n)),
  });
  const { send, sendBytes, settled, store } = await stage(sink);
  await send({ id: "same", n: 1 });
  await sendBytes(Uint8Array.of(0xff));
  await send({ id: "same", n: 2 });
  await settled(3);
  expect(seen).toEqual([1, 2]);
  expect(store.buried).toMatchObject([{ cause: "undecodable" }]);
});

test("something that is away costs no message an attempt; the same batch runs again", async () => {
  const runs: number[] = [];
  const sink = handler({
    name: "needy",
    on: numbers,
    batch: { max: 3, within: "1s" },
    handle(messages) {
      runs.push(messages.length);
      if (runs.length < 2) throw new Unavailable("the database is away");
    },
  });
  const { send, settled, store } = await stage(sink);
  for (let n = 0; n < 3; n++) await send({ id: "same", n });
  await settled(3);
  expect(runs).toEqual([3, 3]);
  expect(store.scheduled).toEqual([]);
});

test("too few or too many results, and an output that was made and not returned, fail the whole run and say so", async () => {
  for (const [name, handle] of [
    ["few", () => [undefined]],
    ["forgot", "forgot"],
  ] as const) {
    const sink = handler({
      name,
      on: numbers,
      out: { doubled },
      batch: { max: 2, within: "1s" },
      retry: [[Error, { delay: "constant", base: "1s", attempts: 1 }]],
      handle(messages, { out }) {
        if (handle !== "forgot") return handle();
        for (const { value } of messages) out.doubled(value);
        return undefined;
      },
    });
    const { send, settled, store, broker } = await stage(sink);
    for (let n = 0; n < 2; n++) await send({ id: "same", n });
    await settled(2);
    expect(store.buried.map(({ cause }) => cause)).toEqual(["output_misused", "output_misused"]);
    expect(broker.records("doubled")).toEqual([]);
  }
});

test("steering works for one message: RetryAfter defers it, GiveUp ends it", async () => {
  const sink = handler({
    name: "steered",
    on: numbers,
    batch: { max: 3, within: "1s" },
    handle: (messages, { fail }) =>
      messages.map(({ value }) => {
        if (value.n === 0) return fail(new RetryAfter("1m"));
        return value.n === 1 ? fail(new GiveUp("no use")) : undefined;
      }),
  });
  const { send, settled, store } = await stage(sink);
  for (let n = 0; n < 3; n++) await send({ id: "same", n });
  await settled(3);
  expect(store.scheduled).toMatchObject([{ attempts: 0, deferrals: 1, delayMs: 60_000 }]);
  expect(store.buried).toMatchObject([{ cause: "GiveUp", error: "no use" }]);
});

test("an output that is too large ends its own message alone", async () => {
  const sink = handler({
    name: "huge",
    on: numbers,
    out: { doubled },
    batch: { max: 3, within: "1s" },
    handle: (messages, { out }) =>
      messages.map(({ value }) =>
        out.doubled({ ...value, padding: value.n === 1 ? "x".repeat(1_100_000) : "" }),
      ),
  });
  const { send, settled, store } = await stage(sink);
  for (let n = 0; n < 3; n++) await send({ id: "same", n });
  const outcomes = await settled(3);
  expect(outcomes.map(({ kind }) => kind)).toEqual(["done", "dead", "done"]);
  expect(store.buried).toMatchObject([{ cause: "record_too_large" }]);
});

test("a stop does not wait for a batch to fill", async () => {
  const sink = handler({
    name: "waiting",
    on: numbers,
    batch: { max: 100, within: "1m" },
    handle() {
      throw new Error("nothing runs here");
    },
  });
  const { send, consumer, broker, store } = await stage(sink);
  await send({ id: "a", n: 1 });
  while (consumer.state.buffered === 0) await new Promise(setImmediate);
  await consumer.stop(60_000);
  expect(committedTotal(broker, sink)).toBe(0);
  expect(store.scheduled).toEqual([]);
});

test("a batch that cannot work is refused where it is declared", () => {
  const declare = (options: object) => () => handler({ on: numbers, handle: () => undefined, ...options });
  const refused = [
    { batch: { max: 0, within: "1s" } },
    { batch: { max: 10_001, within: "1s" } },
    { batch: { max: 5, within: "2m" } },
    { batch: { max: 5, within: "soon" } },
    { batch: { max: 5, within: "1s" }, order: { by: "key", whileRetrying: "skip" } },
  ];
  for (const options of refused) expect(declare(options)).toThrow(CauceError);
});
