import { expect, test } from "bun:test";
import type { Clock } from "../ground/clock.ts";
import { Batches } from "./batches.ts";

/** Batches whose runs end when the test says so, and whose waits pass when it says so. */
function place(options: { concurrency?: number; max?: number; ordered?: boolean } = {}) {
  const timers = new Set<() => void>();
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    after(_delayMs, call) {
      timers.add(call);
      return () => void timers.delete(call);
    },
  };
  const started: string[] = [];
  const ends: (() => void)[] = [];
  const batches = new Batches<string>({
    concurrency: 2,
    max: 3,
    ordered: true,
    ...options,
    withinMs: 10,
    clock,
    alone: (task) => task.endsWith("!"),
    run: (tasks) => {
      started.push(tasks.join(""));
      return new Promise((resolve) => ends.push(resolve));
    },
  });
  return {
    batches,
    started,
    timers,
    push: (partition: string, tasks: string) => {
      for (const [task] of tasks.matchAll(/.!?/g)) batches.push(partition, task);
    },
    /** The time of all that wait for more is over. */
    wait: () => {
      for (const call of timers) {
        timers.delete(call);
        call();
      }
    },
    /** The oldest run ends. */
    end: async () => {
      ends.shift()?.();
      await new Promise(setImmediate);
    },
  };
}

test("runs at once when it is full, else when its time is over", () => {
  const { push, started, wait } = place();
  push("p", "abc");
  push("q", "d");
  expect(started).toEqual(["abc"]);
  wait();
  expect(started).toEqual(["abc", "d"]);
});

test("keeps one run of a partition at a time where order is kept, and several where it is not", async () => {
  const ordered = place();
  ordered.push("p", "abcdef");
  expect(ordered.started).toEqual(["abc"]);
  await ordered.end();
  expect(ordered.started).toEqual(["abc", "def"]);
  const free = place({ ordered: false });
  free.push("p", "abcdef");
  expect(free.started).toEqual(["abc", "def"]);
});

test("a task that must be alone is, and those around it keep their order", async () => {
  const { push, started, end, wait } = place();
  push("p", "ab!cd");
  wait();
  await end();
  await end();
  wait();
  expect(started).toEqual(["a", "b!", "cd"]);
});

test("never more runs than allowed, and partitions take turns", async () => {
  const { push, started, end } = place({ concurrency: 1 });
  push("p", "abcdef");
  push("q", "uvwxyz");
  for (let run = 0; run < 4; run++) await end();
  expect(started).toEqual(["abc", "uvw", "def", "xyz"]);
});

test("a closed gate starts nothing, and a stop leaves no timer and runs nothing more", async () => {
  const { batches, push, started, timers, end } = place();
  batches.gate(false);
  push("p", "abc");
  expect(started).toEqual([]);
  batches.gate(true);
  expect(started).toEqual(["abc"]);
  push("p", "defg");
  push("q", "h");
  expect(timers.size).toBe(1);
  batches.stop();
  await end();
  expect(started).toEqual(["abc"]);
  expect(timers.size).toBe(0);
});
