/** A take gives others their turn within it: what came before a partition was lost and came anew is read again, and not run twice over. */
import { expect, test } from "bun:test";
import { handler, systemClock } from "cauce";
import type { IncomingRecord, Ownership, Subscription } from "../../runtime/bus/bus.ts";
import { MemoryBroker } from "../../runtime/bus/memory-broker.ts";
import { MemoryBus } from "../../runtime/bus/memory.ts";
import { startConsumer } from "../../runtime/engine/consumer.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { numbers, RecordingStore, until } from "./stage.ts";

const RECORDS = 64;

function records(): IncomingRecord[] {
  return Array.from({ length: RECORDS }, (_, offset) => ({
    topic: numbers.name,
    partition: 0,
    offset,
    timestampMs: 0,
    key: null,
    value: new TextEncoder().encode(JSON.stringify({ id: `m-${offset}`, n: offset })),
    headers: [],
  }));
}

test("what was taken before its partition came anew is not taken for what comes after", async () => {
  const seen: number[] = [];
  const place = { topic: numbers.name, partition: 0 };
  let ownership: Ownership | undefined;
  const reading = handler({
    name: "reading",
    on: numbers,
    order: { by: "none" },
    handle({ value }) {
      seen.push(value.n);
      if (seen.length !== 5) return;
      setImmediate(() => {
        ownership?.lost([place]);
        ownership?.assigned([place]);
      });
    },
  });
  const takes = [records(), records()];
  const closed = Promise.withResolvers<IncomingRecord[]>();
  const subscription: Subscription = {
    ready: true,
    take: async () => takes.shift() ?? (await closed.promise),
    pause: () => {},
    resume: () => {},
    commit: () => Promise.resolve(),
    lag: () => [],
    transactions: () => {
      throw new Error("not asked for");
    },
    close: () => Promise.resolve(closed.resolve([])),
  };
  const bus = new MemoryBus({ broker: new MemoryBroker() });
  bus.subscribe = (options) => {
    ({ ownership } = options);
    ownership.assigned([place]);
    return Promise.resolve(subscription);
  };
  // A look at the clock takes a millisecond, so each look within a take ends its turn.
  let nowMs = 0;
  const consumer = await startConsumer({
    handler: reading,
    names: namesFor("test", reading),
    deps: {},
    clock: { ...systemClock, monotonicMs: () => ++nowMs },
    random: Math.random,
    log: silentLog,
    bus,
    store: new RecordingStore(),
  });
  await until(() => seen.length > RECORDS && seen.at(-1) === RECORDS - 1);
  const again = seen.lastIndexOf(0);
  expect(again).toBeLessThan(RECORDS);
  expect(seen.slice(again)).toEqual(Array.from({ length: RECORDS }, (_, n) => n));
  await consumer.stop(1_000);
});
