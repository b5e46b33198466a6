import { describe, expect, test } from "bun:test";
import { decideRetry, type FailedAttempt, type RetryLimits } from "./retry-policy.ts";

const limits: RetryLimits = {
  maxAttempts: 5,
  maxAgeMs: 3_600_000,
  rateLimitBaseMs: 2_000,
  failureBaseMs: 5_000,
  capMs: 60_000,
};
const failure = (changes: Partial<FailedAttempt>): FailedAttempt => ({
  error_type: "timeout",
  message: "too slow",
  attempts: 1,
  deferrals: 0,
  ageMs: 0,
  ...changes,
});
const still = () => 0;
const least = () => 0.999_999;
const delay = (changes: Partial<FailedAttempt>, random = still) => {
  const decision = decideRetry(failure(changes), limits, random);
  return decision.kind === "again" ? decision.delayMs : decision.reason;
};

describe("the retry policy", () => {
  test("doubles the wait with each rate limit, up to the cap", () => {
    const delays = [0, 1, 2, 3, 4, 5, 60].map((deferrals) => delay({ error_type: "rate_limit", deferrals }));
    expect(delays).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  test("counts a rate limit as a deferral and burns no attempt, even when all are spent", () => {
    const decision = decideRetry(
      failure({ error_type: "rate_limit", attempts: 5, deferrals: 7 }),
      limits,
      still,
    );
    expect(decision).toMatchObject({ kind: "again", attempts: 5, deferrals: 8 });
  });

  test("waits in proportion to the attempts after a timeout, and after anything else", () => {
    for (const error_type of ["timeout", "overloaded", "bad_output", "unavailable", "something new"]) {
      expect([1, 2, 3, 4].map((attempts) => delay({ error_type, attempts }))).toEqual([
        5_000, 10_000, 15_000, 20_000,
      ]);
    }
  });

  test("keeps the attempts as they came, since the failed call is counted already", () => {
    expect(decideRetry(failure({ attempts: 3, deferrals: 2 }), limits, still)).toMatchObject({
      attempts: 3,
      deferrals: 2,
    });
  });

  test("takes at most a fifth away by chance", () => {
    expect(delay({ error_type: "rate_limit" }, least)).toBe(1_600);
    expect(delay({ attempts: 2 }, least)).toBe(8_000);
  });

  test("lets Retry-After win over both, above the cap too, and never comes back earlier", () => {
    expect(delay({ error_type: "rate_limit", deferrals: 6, retry_after_ms: 1_500 })).toBe(1_500);
    expect(delay({ error_type: "rate_limit", retry_after_ms: 600_000 })).toBe(600_000);
    expect(delay({ error_type: "overloaded", attempts: 2, retry_after_ms: 700 })).toBe(700);
    expect(delay({ error_type: "rate_limit", retry_after_ms: 1_000 }, least)).toBe(1_050);
  });

  test("ignores a Retry-After that is no time at all", () => {
    for (const retry_after_ms of [-1, NaN, Infinity]) {
      expect(delay({ error_type: "rate_limit", retry_after_ms })).toBe(2_000);
    }
  });

  test("ends when the attempts are spent, with the last error in its reason", () => {
    expect(decideRetry(failure({ attempts: 5 }), limits, still)).toEqual({
      kind: "end",
      reason: "all 5 attempts are spent; the last error was timeout: too slow",
    });
  });

  test("ends when the question is, or would be after the wait, older than its greatest age", () => {
    expect(delay({ ageMs: 3_600_000 })).toContain("greatest age");
    expect(delay({ error_type: "rate_limit", ageMs: 3_599_000 })).toContain("greatest age");
    expect(delay({ error_type: "rate_limit", ageMs: 3_598_000 })).toBe(2_000);
  });

  test("ends at once when trying again cannot help", () => {
    expect(delay({ error_type: "context_too_long" })).toContain("cannot help");
    expect(delay({ error_type: "refused" })).toContain("cannot help");
  });
});
