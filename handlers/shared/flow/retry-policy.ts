/**
 * When a failed model call is tried again, and when it is the end. Pure: chance and time are handed in.
 *
 * In: a failed call, its age, limits. Out: a delay with the next counters, or the reason why it ends.
 * `rate_limit` is exponential on deferrals and burns nothing; everything else is linear on attempts.
 */

export interface RetryLimits {
  /** Model calls that count, at most; regenerations share them. */
  readonly maxAttempts: number;
  /** A question older than this is not tried again, in ms. */
  readonly maxAgeMs: number;
  /** First delay after a rate limit, in ms; doubles with each. */
  readonly rateLimitBaseMs: number;
  /** Delay after the first failure of any other kind, in ms; grows by itself with each. */
  readonly failureBaseMs: number;
  /** No delay of our own choosing is longer, in ms. A longer Retry-After is kept. */
  readonly capMs: number;
}

export interface FailedAttempt {
  readonly error_type: string;
  readonly message: string;
  /** Model calls that counted, the failed one among them (rate limits do not count). */
  readonly attempts: number;
  /** Rate limits met before this failure. */
  readonly deferrals: number;
  readonly retry_after_ms?: number | undefined;
  /** How long ago the question was asked, in ms. */
  readonly ageMs: number;
}

export type RetryDecision =
  | {
      readonly kind: "again";
      readonly delayMs: number;
      readonly attempts: number;
      readonly deferrals: number;
    }
  | { readonly kind: "end"; readonly reason: string };

/** Share of our own delays that chance takes away, so that those who failed together do not return together. */
const JITTER = 0.2;
/** Chance only adds to a Retry-After: coming back early is what it forbids. */
const RETRY_AFTER_JITTER = 0.05;
const LONGEST_RETRY_AFTER_MS = 86_400_000;

/** Nothing about these calls changes by waiting. */
const HOPELESS = new Set(["refused", "context_too_long"]);

/** `random` gives [0, 1). */
export function decideRetry(failed: FailedAttempt, limits: RetryLimits, random: () => number): RetryDecision {
  const { error_type, attempts, deferrals, ageMs } = failed;
  const said = `the last error was ${error_type}: ${failed.message}`;
  if (HOPELESS.has(error_type)) return { kind: "end", reason: `trying again cannot help; ${said}` };
  const burns = error_type !== "rate_limit";
  if (burns && attempts >= limits.maxAttempts) {
    return { kind: "end", reason: `all ${limits.maxAttempts} attempts are spent; ${said}` };
  }
  const delayMs = delayOf(failed, limits, random);
  if (ageMs + delayMs > limits.maxAgeMs) {
    return { kind: "end", reason: `no answer within its greatest age of ${limits.maxAgeMs} ms; ${said}` };
  }
  return { kind: "again", delayMs, attempts, deferrals: burns ? deferrals : deferrals + 1 };
}

function delayOf(failed: FailedAttempt, limits: RetryLimits, random: () => number): number {
  const asked = failed.retry_after_ms;
  if (asked !== undefined && Number.isFinite(asked) && asked >= 0) {
    return Math.ceil(Math.min(asked, LONGEST_RETRY_AFTER_MS) * (1 + RETRY_AFTER_JITTER * random()));
  }
  const grown =
    failed.error_type === "rate_limit"
      ? limits.rateLimitBaseMs * 2 ** Math.min(failed.deferrals, 50)
      : limits.failureBaseMs * Math.max(1, failed.attempts);
  return Math.round(Math.min(grown, limits.capMs) * (1 - JITTER * random()));
}
