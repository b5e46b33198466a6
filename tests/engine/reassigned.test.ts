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

const place = { topic: numbers.name, partition: 0 };

/** A consumer of what a broker would hand out, take by take. `seen` is told of each run and may end or begin an assignment. */
async function feed(takes: IncomingRecord[][], seen: (n: number, ownership: Ownership) => void) {
  let ownership: Ownership | undefined;
  const reading = handler({
    name: "reading",
    on: numbers,
    order: { by: "none" },
    handle({ value }) {
      if (ownership !== undefined) seen(value.n, ownership);
    },
  });
  const commits: number[] = [];
  const closed = Promise.withResolvers<IncomingRecord[]>();
  const subscription: Subscription = {
    ready: true,
    take: async () => takes.shift() ?? (await closed.promise),
    pause: () => {},
    resume: () => {},
    commit: (offsets) => Promise.resolve(void commits.push(...offsets.map(({ offset }) => offset))),
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
  return { consumer, commits };
}

test("what was taken before its partition came anew is not taken for what comes after", async () => {
  const seen: number[] = [];
  const { consumer } = await feed([records(), records()], (n, ownership) => {
    seen.push(n);
    if (seen.length !== 5) return;
    setImmediate(() => {
      ownership.lost([place]);
      ownership.assigned([place]);
    });
  });
  await until(() => seen.length > RECORDS && seen.at(-1) === RECORDS - 1);
  const again = seen.lastIndexOf(0);
  expect(again).toBeLessThan(RECORDS);
  expect(seen.slice(again)).toEqual(Array.from({ length: RECORDS }, (_, n) => n));
  await consumer.stop(1_000);
});

test("what is handed out twice within one assignment runs once, and commits nothing anew", async () => {
  const seen: number[] = [];
  const [one, two] = [records().slice(0, 10), records().slice(8, 12)];
  const { consumer, commits } = await feed([one, two], (n) => seen.push(n));
  await until(() => seen.includes(11));
  await consumer.stop(1_000);
  expect(seen).toEqual(Array.from({ length: 12 }, (_, n) => n));
  expect(commits.at(-1)).toBe(12);
});
