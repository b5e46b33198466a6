import { expect, test } from "bun:test";
import type { OutgoingRecord } from "../bus/bus.ts";
import { systemClock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import type { DeadLetter, ScheduledMessage } from "../store/store.ts";
import { LIMITS } from "./limits.ts";
import type { Output, Settled } from "./outcome.ts";
import { OwnedPartition } from "./partition.ts";
import { Settler, type Unsettled } from "./settle.ts";

interface Item extends Unsettled {
  readonly name: string;
  readonly partition: OwnedPartition;
}

const LARGEST = 1_000;
const place = new OwnedPartition({ topic: "in", partition: 0 });

/** A settler on a bus that refuses what is larger than LARGEST, and what a test tells it to. */
function stage(
  options: {
    refuse?: (records: readonly OutgoingRecord[]) => CauceError | null;
    away?: () => boolean;
    detour?: () => boolean;
  } = {},
) {
  const published: string[][] = [];
  const rows: ScheduledMessage[][] = [];
  const buried: DeadLetter[] = [];
  const told: string[] = [];
  const letters: string[] = [];
  const changed = new Set<() => void>();
  const tell = (words: string) => {
    told.push(words);
    for (const call of changed) call();
  };
  const settler = new Settler<Item>({
    bus: {
      async publish(records) {
        await Promise.resolve();
        const failure = options.refuse?.(records);
        if (failure) throw failure;
        if (records.some(({ value }) => (value?.byteLength ?? 0) > LARGEST))
          throw new CauceError("record_too_large", "too large");
        const names = records.map(nameOf);
        if (records[0]?.topic === "dlq") letters.push(...names);
        else published.push(names);
        return [];
      },
    },
    store: {
      async schedule(messages) {
        await Promise.resolve();
        if (options.away?.() === true)
          throw new CauceError("unavailable", "no Postgres", { retryable: true });
        rows.push([...messages]);
        return messages.length;
      },
      async bury(some) {
        await Promise.resolve();
        buried.push(...some);
        return some.length;
      },
    },
    deadLetterTopic: "dlq",
    handlerName: "h",
    ...(options.detour && { detour: options.detour }),
    patience: (signal) => ({ clock: systemClock, random: () => 0, signal }),
    letterFor: ({ name }, error) => letterOf(name, error.code),
    settled: ({ name }, { kind }) => tell(`${name} ${kind}`),
    failed: ({ name }, error) => tell(`${name} ${error instanceof CauceError ? error.code : "defect"}`),
  });
  const all = (count: number) =>
    new Promise<readonly string[]>((resolve) => {
      const check = () => {
        if (told.length >= count) resolve(told);
      };
      changed.add(check);
      check();
    });
  return { settler, published, rows, buried, letters, told, all };
}

const bytesOf = (name: string, size = 10) => new TextEncoder().encode(name.padEnd(size, "."));
const nameOf = ({ value }: OutgoingRecord) =>
  new TextDecoder().decode(value ?? new Uint8Array()).replace(/\.+$/, "");

function outputOf(name: string, size?: number): Output {
  return {
    messageId: name,
    record: { topic: "out", key: null, value: bytesOf(name, size), headers: [] },
    bornAtMs: 0,
  };
}

function rowOf(name: string): ScheduledMessage {
  const { record } = outputOf(name);
  const none = { attempts: 0, deferrals: 0, delayMs: 0, bornAtMs: 0, delivery: 0, reason: "", error: "" };
  return { handler: "h", messageId: name, record, kind: "output", ...none };
}

function letterOf(name: string, cause: string): DeadLetter {
  const { record } = outputOf(name);
  const none = { attempts: 0, deferrals: 0, delivery: 0, partition: 0, offset: 0, error: "" };
  return { handler: "h", messageId: name, record, cause, ...none };
}

const done = (
  name: string,
  { size, row = false, partition = place }: { size?: number; row?: boolean; partition?: OwnedPartition } = {},
): Item => ({
  name,
  partition,
  outcome: { kind: "done", publish: [outputOf(name, size)], schedule: row ? [rowOf(name)] : [] },
});
const item = (name: string, outcome: Settled): Item => ({ name, partition: place, outcome });
const names = (count: number) => Array.from({ length: count }, (_, at) => `m${at}`);

test("what is decided in one turn goes out in one publish and one insert, in order", async () => {
  const { settler, published, rows, all } = stage();
  for (const name of names(100)) settler.add(done(name));
  settler.add(done("both", { row: true }));
  for (const name of ["r1", "r2"]) settler.add(item(name, { kind: "retry", schedule: rowOf(name) }));
  await all(103);
  expect(published).toEqual([[...names(100), "both"]]);
  expect(rows.map((some) => some.map(({ messageId }) => messageId))).toEqual([["r1", "r2"], ["both"]]);
});

test("a lone message goes out before any timer, and one that asks for nothing is told of at once", async () => {
  const { settler, published, told } = stage();
  settler.add(item("none", { kind: "done", publish: [], schedule: [] }));
  expect(told).toEqual(["none done"]);
  settler.add(done("lone"));
  for (let turn = 0; turn < 4; turn++) await Promise.resolve();
  expect(published).toEqual([["lone"]]);
});

test("no publish holds more records or bytes than its bounds, and one that is beyond them goes alone", async () => {
  const many = stage();
  for (const name of names(LIMITS.settledTogether.records + 1)) many.settler.add(done(name));
  await many.all(LIMITS.settledTogether.records + 1);
  expect(many.published.map(({ length }) => length)).toEqual([LIMITS.settledTogether.records, 1]);
  const large = stage({
    refuse: (records) =>
      records.length > 1 &&
      records.some(({ value }) => (value?.byteLength ?? 0) > LIMITS.settledTogether.bytes)
        ? new CauceError("defect", "not alone")
        : null,
  });
  large.settler.add(done("before"));
  large.settler.add(done("huge", { size: LIMITS.settledTogether.bytes + 1 }));
  large.settler.add(done("after"));
  expect((await large.all(3)).toSorted()).toEqual(["after done", "before done", "huge dead"]);
});

test("one output that is too large among many is buried alone, and the others are published", async () => {
  const { settler, published, buried, letters, all } = stage();
  for (const name of names(20)) settler.add(done(name, name === "m7" ? { size: LARGEST + 1 } : {}));
  const told = await all(20);
  expect(told.filter((words) => !words.endsWith("done"))).toEqual(["m7 dead"]);
  expect(buried.map(({ messageId, cause }) => [messageId, cause])).toEqual([["m7", "record_too_large"]]);
  expect(letters).toEqual(["m7"]);
  expect(published.flat().toSorted()).toEqual(
    names(20)
      .filter((name) => name !== "m7")
      .toSorted(),
  );
});

test("rows are written once the outputs of their message are acknowledged, and nothing is told before both", async () => {
  const order: string[] = [];
  const { settler, told, all } = stage({
    refuse: () => {
      order.push(`publishing, told ${told.length}`);
      return null;
    },
    away: () => {
      order.push(`writing, told ${told.length}`);
      return false;
    },
  });
  settler.add(done("both", { row: true }));
  await all(1);
  expect(order).toEqual(["publishing, told 0", "writing, told 0"]);
});

test("a broker that fails is asked again until it takes them, whole and in order, and nothing is told before", async () => {
  const tries: number[] = [];
  const { settler, published, told, all } = stage({
    refuse: (records) =>
      tries.push(records.length) <= 2 ? new CauceError("broker", "away", { retryable: true }) : null,
  });
  for (const name of names(5)) settler.add(done(name));
  while (tries.length < 2) await Promise.resolve();
  expect(told).toEqual([]);
  await all(5);
  expect(published).toEqual([names(5)]);
});

test("a database that is away holds up what needs a row, and nothing else of its turn", async () => {
  let away = true;
  const { settler, told, all } = stage({ away: () => away });
  settler.add(done("row", { row: true }));
  settler.add(done("plain"));
  settler.add(item("retry", { kind: "retry", schedule: rowOf("retry") }));
  await all(1);
  expect(told).toEqual(["plain done"]);
  away = false;
  expect((await all(3)).toSorted()).toEqual(["plain done", "retry retry", "row done"]);
});

test("nothing of a partition that ended is handed over, not even with others and not at a later try", async () => {
  const [lost, kept] = [1, 2].map((partition) => new OwnedPartition({ topic: "in", partition }));
  if (lost === undefined || kept === undefined) throw new Error("unreachable");
  const tries: number[] = [];
  const { settler, published, all } = stage({
    refuse: (records) =>
      tries.push(records.length) === 1 ? new CauceError("broker", "away", { retryable: true }) : null,
  });
  settler.add(done("lost", { partition: lost }));
  settler.add(done("kept", { partition: kept }));
  while (tries.length === 0) await Promise.resolve();
  lost.abandon();
  settler.add(done("late", { partition: lost }));
  expect((await all(3)).toSorted()).toEqual(["kept done", "late aborted", "lost aborted"]);
  expect(published).toEqual([["kept"]]);
});

test("outputs that would block a cycle become rows that are due at once", async () => {
  const { settler, published, rows, all } = stage({ detour: () => true });
  settler.add(done("a", { row: true }));
  await all(1);
  expect(published).toEqual([]);
  expect(rows.map((some) => some.map(({ reason }) => reason))).toEqual([["the embedded broker is full", ""]]);
});

test("an error that waiting cannot help is told of, and is no outcome", async () => {
  const { settler, all } = stage({ refuse: () => new CauceError("defect", "never") });
  settler.add(done("a"));
  expect(await all(1)).toEqual(["a defect"]);
});
