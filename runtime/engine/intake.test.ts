import { expect, test } from "bun:test";
import type { Clock } from "../ground/clock.ts";
import { Intake } from "./intake.ts";
import { LIMITS } from "./limits.ts";
import { OwnedPartition, type Task } from "./partition.ts";

/** A clock that only moves when told to. */
function heldClock() {
  let nowMs = 1_000_000;
  let timers: { atMs: number; call: () => void }[] = [];
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after(delayMs, call) {
      const timer = { atMs: nowMs + delayMs, call };
      timers.push(timer);
      return () => (timers = timers.filter((other) => other !== timer));
    },
  };
  const advance = async (ms: number) => {
    nowMs += ms;
    const due = timers.filter(({ atMs }) => atMs <= nowMs);
    timers = timers.filter(({ atMs }) => atMs > nowMs);
    for (const { call } of due) call();
    await new Promise(setImmediate);
  };
  return { clock, advance };
}

function intakeOf(count: number, concurrency = 1) {
  const { clock, advance } = heldClock();
  const partitions = Array.from(
    { length: count },
    (_, partition) => new OwnedPartition({ topic: "t", partition }),
  );
  const paused: OwnedPartition[] = [];
  const resumed: OwnedPartition[] = [];
  const intake = new Intake({
    concurrency,
    clock,
    partitions: () => partitions,
    pause: (stalled) => void paused.push(...stalled),
    resume: (partition) => void resumed.push(partition),
  });
  const fill = (partition: OwnedPartition, tasks: number, bytes = 1): Task[] =>
    Array.from({ length: tasks }, () => {
      const record = {
        topic: "t",
        partition: partition.partition,
        offset: 0,
        key: null,
        value: null,
        headers: [],
        timestampMs: 0,
      };
      const task = {
        record,
        ticket: { offset: 0, finished: false },
        partition,
        bytes,
        key: null,
        lane: null,
        alone: false,
        settling: false,
      };
      intake.add(task);
      return task;
    });
  const at = (index: number) =>
    partitions[index] ?? new OwnedPartition({ topic: "missing", partition: index });
  return { intake, at, fill, paused, resumed, advance };
}

const share = LIMITS.leastBufferedPerPartition;

test("holds four shares in all, whoever fills them", () => {
  const { intake, at, fill } = intakeOf(2);
  expect(intake.room).toBe(4 * share);
  fill(at(0), 3 * share);
  fill(at(1), share);
  expect(intake.room).toBe(0);
});

test("holds no more than its bytes, however few the records", () => {
  const { intake, at, fill } = intakeOf(1);
  fill(at(0), 1, LIMITS.bufferedBytes);
  expect(intake.room).toBe(0);
});

test("a partition that stands still is set aside, and the others get its room", async () => {
  const { intake, at, fill, paused, advance } = intakeOf(2);
  fill(at(0), 4 * share);
  const freed = intake.freed();
  await advance(LIMITS.stallMs);
  await freed;
  expect(paused).toEqual([at(0)]);
  expect(intake.room).toBe(4 * share);
});

test("a partition that makes progress is not paused, however full it is", async () => {
  const { intake, at, fill, paused, advance } = intakeOf(1);
  fill(at(0), 4 * share);
  at(0).progressMs = 1_000_000 + 1;
  const freed = intake.freed();
  await advance(LIMITS.stallMs);
  await freed;
  expect(paused).toEqual([]);
});

test("a paused partition is resumed once half of its share is worked off", async () => {
  const { intake, at, fill, resumed, advance } = intakeOf(1);
  const tasks = fill(at(0), 4 * share);
  const freed = intake.freed();
  await advance(LIMITS.stallMs);
  await freed;
  for (const task of tasks.slice(0, 3.5 * share - 1)) intake.remove(task);
  expect(resumed).toEqual([]);
  for (const task of tasks.slice(3.5 * share - 1, 3.5 * share)) intake.remove(task);
  expect(resumed).toEqual([at(0)]);
});

test("a partition with too much finished above one slow message is paused until that one is finished", () => {
  const { intake, at, fill, paused, resumed } = intakeOf(1);
  const { frontier } = at(0);
  const slow = frontier.begin(0);
  const [held] = fill(at(0), 1);
  for (let offset = 1; offset < LIMITS.mostAboveFrontier - 1; offset++)
    frontier.finish(frontier.begin(offset));
  intake.remove(fill(at(0), 1)[0] ?? missing());
  expect(paused).toEqual([]);
  frontier.finish(frontier.begin(LIMITS.mostAboveFrontier));
  intake.remove(fill(at(0), 1)[0] ?? missing());
  expect(paused).toEqual([at(0)]);
  expect(resumed).toEqual([]);
  frontier.finish(slow);
  intake.remove(held ?? missing());
  expect(resumed).toEqual([at(0)]);
});

test("waiting ends when a quarter is free, not with every record", async () => {
  const { intake, at, fill } = intakeOf(1);
  const tasks = fill(at(0), 4 * share);
  let over = false;
  const freed = intake.freed().then(() => (over = true));
  for (const task of tasks.slice(0, share - 1)) intake.remove(task);
  await new Promise(setImmediate);
  expect(over).toBe(false);
  for (const task of tasks.slice(share - 1, share)) intake.remove(task);
  await freed;
  expect(over).toBe(true);
});

function missing(): never {
  throw new Error("no task");
}
