import { describe, expect, test } from "bun:test";
import { createBreaker } from "./breaker.ts";

/** A clock that goes on only when told, and whose timers ring only then. */
function stoppedClock() {
  let nowMs = 0;
  let timers: { readonly atMs: number; readonly call: () => void }[] = [];
  return {
    monotonicMs: () => nowMs,
    after(delayMs: number, call: () => void) {
      const timer = { atMs: nowMs + delayMs, call };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
    go(ms: number) {
      nowMs += ms;
      const due = timers.filter(({ atMs }) => atMs <= nowMs);
      timers = timers.filter(({ atMs }) => atMs > nowMs);
      for (const { call } of due) call();
    },
  };
}

function given() {
  const clock = stoppedClock();
  const changes: boolean[] = [];
  const breaker = createBreaker({
    deadlineMs: 250,
    failures: 3,
    restMs: 10_000,
    clock,
    changed: (open) => void changes.push(open),
  });
  let calls = 0;
  const fail = () => breaker.run(() => (calls++, Promise.reject(new Error("down"))));
  const succeed = () => breaker.run(() => Promise.resolve(++calls));
  return { clock, breaker, changes, fail, succeed, calls: () => calls };
}

describe("the breaker", () => {
  test("passes results through, and turns failures into null", async () => {
    const { fail, succeed } = given();
    expect(await fail()).toBeNull();
    expect(await succeed()).toBe(2);
  });

  test("gives up on a call that is too slow", async () => {
    const { breaker, clock } = given();
    const slow = breaker.run(() => new Promise<number>(() => {}));
    clock.go(250);
    expect(await slow).toBeNull();
  });

  test("asks nothing for a while after some failures in a row, then once, then again as usual", async () => {
    const { fail, succeed, clock, changes, calls } = given();
    for (let failure = 0; failure < 3; failure++) await fail();
    expect(changes).toEqual([true]);
    expect(await succeed()).toBeNull();
    expect(calls()).toBe(3);
    clock.go(10_000);
    expect(await fail()).toBeNull();
    expect(await succeed()).toBeNull();
    expect(calls()).toBe(4);
    clock.go(10_000);
    expect(await succeed()).toBe(5);
    expect(await succeed()).toBe(6);
    expect(changes).toEqual([true, false]);
  });

  test("forgets failures that were not in a row", async () => {
    const { fail, succeed, changes } = given();
    for (let time = 0; time < 5; time++) {
      await fail();
      await fail();
      await succeed();
    }
    expect(changes).toEqual([]);
  });
});
