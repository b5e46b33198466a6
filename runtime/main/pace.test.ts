import { afterEach, expect, test } from "bun:test";
import type { Backlog } from "../bus/bus.ts";
import type { Clock } from "../ground/clock.ts";
import { silentLog } from "../ground/log.ts";
import { meterPace, type Pace } from "./pace.ts";

const open: Pace[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((pace) => pace.stop()));
});

/** A pace whose clock and groups stand still until the test moves them. */
async function meter(groups = ["answer"]) {
  let nowMs = 0;
  let tick = () => {};
  const logs = new Map(groups.map((group) => [group, { end: 0, committed: 0 }]));
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after(_delayMs, call) {
      tick = call;
      return () => {};
    },
  };
  const bus = {
    backlog: (): Promise<readonly Backlog[]> =>
      Promise.resolve(
        [...logs].map(([group, { end, committed }]) => {
          return { group, topic: group, partition: 0, records: end - committed, committed };
        }),
      ),
  };
  const pace = meterPace({
    bus,
    groups: groups.map((group) => ({ group, topics: [group] })),
    clock,
    log: silentLog,
  });
  open.push(pace);
  const settle = async () => {
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  };
  await settle();
  return {
    pace,
    add: (group: string, records: number) => void ((logs.get(group) ?? { end: 0 }).end += records),
    /** Seconds pass, in each of which so many records are committed, as long as there are some. */
    pass: async (seconds: number, perSecond: Readonly<Record<string, number>> = {}) => {
      for (let second = 0; second < seconds; second++) {
        nowMs += 1_000;
        for (const [group, log] of logs)
          log.committed = Math.min(log.end, log.committed + (perSecond[group] ?? 0));
        tick();
        await settle();
      }
    },
  };
}

test("nothing waits where nothing lies", async () => {
  const { pace, pass } = await meter();
  await pass(5);
  expect(pace.expectedWaitMs()).toBe(0);
});

test("a message waits for what lies before it, at the rate at which it is worked off", async () => {
  const { pace, add, pass } = await meter();
  add("answer", 1_000);
  await pass(1);
  await pass(10, { answer: 10 });
  expect(pace.expectedWaitMs()).toBeCloseTo(90_000, -3);
});

test("what it says is honest: when that time has passed, the line is gone", async () => {
  const { pace, add, pass } = await meter();
  add("answer", 2_000);
  await pass(1);
  await pass(20, { answer: 20 });
  const waitS = Math.ceil(pace.expectedWaitMs() / 1_000);
  await pass(waitS, { answer: 20 });
  expect(pace.expectedWaitMs()).toBe(0);
});

test("a rate that falls is noticed, and one that a pause hides is not lost", async () => {
  const { pace, add, pass } = await meter();
  add("answer", 1_000);
  await pass(1);
  await pass(40, { answer: 20 });
  // Nothing to do for a long while says nothing about how fast it is.
  await pass(20, { answer: 20 });
  await pass(300);
  add("answer", 1_000);
  await pass(2, { answer: 20 });
  expect(pace.expectedWaitMs()).toBeWithin(40_000, 60_000);
  await pass(120, { answer: 2 });
  expect(pace.expectedWaitMs()).toBeWithin(300_000, 400_000);
});

test("waits of one stage after the other add up", async () => {
  const { pace, add, pass } = await meter(["answer", "score"]);
  add("answer", 500);
  add("score", 500);
  await pass(1);
  await pass(10, { answer: 10, score: 20 });
  expect(pace.expectedWaitMs()).toBeCloseTo(40_000 + 15_000, -3);
});

test("where nobody has ever worked, the wait is at least what has passed", async () => {
  const { pace, add, pass } = await meter();
  await pass(3);
  add("answer", 5);
  await pass(1);
  await pass(60);
  expect(pace.expectedWaitMs()).toBeWithin(60_000, 61_001);
});
