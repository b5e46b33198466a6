/**
 * Stops asking something that keeps failing, for a while.
 *
 * In: calls, a clock. Out: their results, or `null` at once while it rests, or when a call fails or is too slow.
 * For things that may be missing, such as a cache. Never for things that must not be.
 */
export interface BreakerOptions {
  /** A call takes no longer, in ms. */
  readonly deadlineMs: number;
  /** So many failures in a row open it. */
  readonly failures: number;
  /** So long it rests, in ms; then one call may try. */
  readonly restMs: number;
  readonly clock: { monotonicMs(): number; after(delayMs: number, call: () => void): () => void };
  /** Told when it opens and when it closes again. */
  readonly changed?: (open: boolean, reason: string) => void;
}

export interface Breaker {
  /** Never rejects. */
  run<T>(call: () => Promise<T>): Promise<T | null>;
}

export function createBreaker({ deadlineMs, failures, restMs, clock, changed }: BreakerOptions): Breaker {
  let failed = 0;
  let restsUntilMs = -Infinity;
  return {
    async run(call) {
      const nowMs = clock.monotonicMs();
      if (nowMs < restsUntilMs) return null;
      // While it is open, one call at a time tries: the others go on resting.
      if (failed >= failures) restsUntilMs = nowMs + restMs;
      try {
        const result = await within(deadlineMs, clock, call);
        if (failed >= failures) changed?.(false, "it answers again");
        failed = 0;
        restsUntilMs = -Infinity;
        return result;
      } catch (thrown) {
        failed++;
        if (failed >= failures) {
          restsUntilMs = clock.monotonicMs() + restMs;
          if (failed === failures) changed?.(true, thrown instanceof Error ? thrown.message : String(thrown));
        }
        return null;
      }
    },
  };
}

async function within<T>(
  deadlineMs: number,
  clock: BreakerOptions["clock"],
  call: () => Promise<T>,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const cancel = clock.after(deadlineMs, () => reject(new Error(`no answer within ${deadlineMs} ms`)));
  try {
    return await Promise.race([Promise.try(call), late]);
  } finally {
    cancel();
  }
}
