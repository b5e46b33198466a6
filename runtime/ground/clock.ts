/**
 * Time and chance, handed in so that tests can hold both still.
 *
 * Never here: due times of the schedule. Those follow Postgres's clock alone.
 */

export interface Clock {
  /** Wall time in milliseconds since 1970, for stamps that people read. */
  nowMs(): number;
  /** Time that only goes forward, in milliseconds, for deadlines and measurements. */
  monotonicMs(): number;
  /** Calls back once after `delayMs`; the returned function cancels. */
  after(delayMs: number, call: () => void): () => void;
}

/** A number in [0, 1), as `Math.random`. */
export type Random = () => number;

/** The longest delay a timer takes; longer ones fire at once in every JavaScript engine. */
const LONGEST_TIMER_MS = 2_147_483_647;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, Math.min(Math.max(0, delayMs), LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when `signal` aborts. Never rejects. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.after(delayMs, finish);
    signal?.addEventListener("abort", finish, { once: true });
  });
}
