import { expect, test } from "bun:test";
import type { Clock } from "../ground/clock.ts";
import { Deadlines } from "./deadlines.ts";

/** A clock that a test moves; it counts the timers that were ever set. */
function heldClock() {
  let nowMs = 0;
  let timers: { atMs: number; call: () => void }[] = [];
  const clock: Clock & { set: number; to(ms: number): void; waiting(): number } = {
    set: 0,
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after(delayMs, call) {
      const timer = { atMs: nowMs + delayMs, call };
      timers.push(timer);
      clock.set++;
      return () => (timers = timers.filter((other) => other !== timer));
    },
    to(ms) {
      nowMs = ms;
      const due = timers.filter((timer) => timer.atMs <= ms);
      timers = timers.filter((timer) => timer.atMs > ms);
      for (const { call } of due) call();
    },
    waiting: () => timers.length,
  };
  return clock;
}

test("passes in the order of setting, each at its own time, and not once it was taken back", () => {
  const clock = heldClock();
  const deadlines = new Deadlines({ clock, afterMs: 100 });
  const passed: string[] = [];
  deadlines.set(() => passed.push("a"));
  clock.to(40);
  const second = deadlines.set(() => passed.push("b"));
  clock.to(60);
  deadlines.set(() => passed.push("c"));
  clock.to(100);
  expect(passed).toEqual(["a"]);
  deadlines.takeBack(second);
  clock.to(140);
  expect(passed).toEqual(["a"]);
  clock.to(160);
  expect(passed).toEqual(["a", "c"]);
  expect(clock.waiting()).toBe(0);
});

test("ten thousand runs within one deadline's time set one timer", () => {
  const clock = heldClock();
  const deadlines = new Deadlines({ clock, afterMs: 100 });
  for (let run = 0; run < 10_000; run++) deadlines.takeBack(deadlines.set(() => undefined));
  expect(clock.set).toBe(1);
});

test("once stopped, nothing passes and no timer is left", () => {
  const clock = heldClock();
  const deadlines = new Deadlines({ clock, afterMs: 100 });
  const passed: string[] = [];
  deadlines.set(() => passed.push("a"));
  deadlines.stop();
  expect(clock.waiting()).toBe(0);
  clock.to(200);
  expect(passed).toEqual([]);
});
