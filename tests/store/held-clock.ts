/** A clock that stands still until a test moves it; timers fire in order as it passes them. */
import type { Clock } from "../../runtime/ground/clock.ts";

export interface HeldClock extends Clock {
  /** Moves time on, firing what comes due, and lets what it woke run before it resolves. */
  pass(ms: number): Promise<void>;
  /** Timers that wait. */
  readonly timers: number;
}

export function heldClock(startMs = 1_700_000_000_000): HeldClock {
  let nowMs = startMs;
  const timers = new Set<{ readonly atMs: number; readonly call: () => void }>();
  const settle = async () => {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  };
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs - startMs,
    after(delayMs, call) {
      const timer = { atMs: nowMs + Math.max(0, delayMs), call };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    get timers() {
      return timers.size;
    },
    async pass(ms) {
      const untilMs = nowMs + ms;
      await settle();
      for (;;) {
        const [next] = [...timers].filter(({ atMs }) => atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs);
        if (!next) break;
        timers.delete(next);
        nowMs = Math.max(nowMs, next.atMs);
        next.call();
        await settle();
      }
      nowMs = untilMs;
      await settle();
    },
  };
}
