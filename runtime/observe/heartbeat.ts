/**
 * Does the event loop turn? A timer that should fire every half second tells how late it was.
 *
 * In: a clock. Out: the age of the last beat and the lag of the loop. Never here: what to do about it.
 */
import type { Clock } from "../ground/clock.ts";

export interface Heartbeat {
  /** Milliseconds since the loop last turned for the timer. */
  ageMs(): number;
  /** How late the last beat was, in milliseconds. */
  lagMs(): number;
  /** How late the latest beat was since the last call of this function. */
  worstLagMs(): number;
  stop(): void;
}

/** Starts beating. @param everyMs Default 500. */
export function startHeartbeat({ clock, everyMs = 500 }: { clock: Clock; everyMs?: number }): Heartbeat {
  let lastMs = clock.monotonicMs();
  let lagMs = 0;
  let worstMs = 0;
  let cancel = clock.after(everyMs, beat);

  function beat() {
    const nowMs = clock.monotonicMs();
    lagMs = Math.max(0, nowMs - lastMs - everyMs);
    worstMs = Math.max(worstMs, lagMs);
    lastMs = nowMs;
    cancel = clock.after(everyMs, beat);
  }

  return {
    ageMs: () => clock.monotonicMs() - lastMs,
    lagMs: () => lagMs,
    worstLagMs: () => {
      const worst = worstMs;
      worstMs = 0;
      return worst;
    },
    stop: () => cancel(),
  };
}
