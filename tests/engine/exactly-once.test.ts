/** Outputs that are there exactly once: what goes into a transaction, and what becomes of one that is taken back. */
import { expect, test } from "bun:test";
import { GiveUp, handler } from "../../runtime/index.ts";
import { CauceError } from "../../runtime/ground/errors.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import type { Processed } from "../../runtime/engine/process.ts";
import { MemoryBroker } from "../../runtime/bus/memory-broker.ts";
import { committedTotal, doubled, numbers, RecordingStore, stage, until } from "./stage.ts";

function doubling(runs: number[] = []) {
  return handler({
    name: "doubling",
    on: numbers,
    out: { doubled },
    guarantee: "exactly-once",
    retry: [[TypeError, { attempts: 3, delay: "constant", base: "1h" }]],
    handle({ value }, { out }) {
      runs.push(value.n);
      if (value.n === 13) throw new TypeError("unlucky");
      if (value.n === 14) throw new GiveUp("never");
      if (value.n === 15) return out.doubled({ id: "large".repeat(300_000), n: 0 });
      return out.doubled({ id: value.id, n: value.n * 2 });
    },
  });
}

const valuesOf = (broker: MemoryBroker) =>
  broker
    .records(doubled.name)
    .map(({ value }) => JSON.parse(new TextDecoder().decode(value ?? new Uint8Array())).n);
const count = 40;
const send = async ({ send: one }: Awaited<ReturnType<typeof stage>>, from = 0) => {
  for (let n = from; n < from + count; n++) await one({ id: `k${n % 7}`, n });
};

test("a transaction that is taken back goes again with what was made, without its handlers, and nothing twice", async () => {
  const broker = new MemoryBroker();
  let failures = 2;
  broker.failTransaction = () =>
    failures-- > 0 ? new CauceError("broker", "taken back", { retryable: true }) : null;
  const runs: number[] = [];
  const tested = doubling(runs);
  const at = await stage(tested, { broker });
  await send(at, 100);
  await until(() => committedTotal(broker, tested) === count);
  expect(runs.length).toBe(count);
  expect(valuesOf(broker).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: count }, (_, n) => 200 + 2 * n),
  );
});

test("rows are there before their transaction, and a retry and a dead letter keep their offsets in it", async () => {
  const broker = new MemoryBroker();
  const store = new RecordingStore();
  let rows = 0;
  broker.failTransaction = () => {
    rows = store.scheduled.length + store.buried.length;
    return null;
  };
  const tested = doubling();
  const at = await stage(tested, { broker, store });
  await at.send({ id: "a", n: 13 });
  await at.send({ id: "a", n: 14 });
  await until(() => committedTotal(broker, tested) === 2);
  expect(rows).toBe(2);
  expect(broker.records(namesFor("test", tested).deadLetterTopic).length).toBe(1);
});

test("one output that is too large is found among many and buried alone", async () => {
  const broker = new MemoryBroker();
  const store = new RecordingStore();
  const tested = doubling();
  const at = await stage(tested, { broker, store });
  await at.send({ id: "a", n: 15 });
  await send(at, 100);
  await until(() => committedTotal(broker, tested) === count + 1);
  expect(valuesOf(broker).length).toBe(count);
  expect(store.buried.map(({ cause }) => cause)).toEqual(["record_too_large"]);
});

test("a message is told of as settled once its transaction is committed, not before", async () => {
  const broker = new MemoryBroker();
  const told: number[] = [];
  const toldAtTries: number[] = [];
  let failures = 3;
  broker.failTransaction = () => {
    toldAtTries.push(told.length);
    return failures-- > 0 ? new CauceError("broker", "taken back", { retryable: true }) : null;
  };
  const tested = doubling();
  const settled = ({ envelope }: Processed) => void told.push(envelope.delivery);
  const at = await stage(tested, { broker, settled });
  await at.send({ id: "a", n: 1 });
  await at.settled(1);
  expect(toldAtTries).toEqual([0, 0, 0, 0]);
  expect(valuesOf(broker)).toEqual([2]);
  await at.consumer.stop(5_000);
  expect(told.length).toBe(1);
});

test("a message whose output is too large for the broker is told of as dead, never as done", async () => {
  const at = await stage(doubling());
  await at.send({ id: "a", n: 15 });
  expect((await at.settled(1)).map(({ kind }) => kind)).toEqual(["dead"]);
});

test("what was made for a partition that is lost meanwhile is dropped, and its next owner makes it", async () => {
  const broker = new MemoryBroker();
  let open = false;
  broker.failTransaction = () => (open ? null : new CauceError("broker", "away", { retryable: true }));
  const runs: number[] = [];
  const tested = doubling(runs);
  const first = await stage(tested, { broker });
  await send(first, 100);
  await until(() => runs.length === count);
  for (const member of broker.group("test.doubling").members) member.lose();
  await first.consumer.stop(0);
  open = true;
  await stage(tested, { broker });
  await until(() => committedTotal(broker, tested) === count);
  expect(valuesOf(broker).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: count }, (_, n) => 200 + 2 * n),
  );
});

test("stopping commits what is finished before the partitions go back", async () => {
  const broker = new MemoryBroker();
  const tested = doubling();
  const at = await stage(tested, { broker });
  await send(at, 100);
  await at.settled(count);
  await at.consumer.stop(5_000);
  expect(committedTotal(broker, tested)).toBe(count);
  expect(valuesOf(broker).length).toBe(count);
});

test("another word is refused, and the option's name is said", () => {
  expect(() => handler({ on: numbers, guarantee: "once" as "exactly-once", handle() {} })).toThrow(
    /guarantee must be/,
  );
});
