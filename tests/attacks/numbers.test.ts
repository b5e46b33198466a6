/** Numbers that nobody means: clamped or refused, never taken at their word. */
import { expect, test } from "bun:test";
import { decideRetry } from "../../handlers/shared/flow/retry-policy.ts";
import { resumePoint } from "../../handlers/shared/door/events.ts";
import { busyWith } from "../../handlers/shared/door/admission.ts";
import { retryAfterMs } from "../../handlers/shared/model/classify.ts";
import { durationMs, LONGEST_DURATION_MS, type Duration } from "../../runtime/ground/duration.ts";
import { RetryAfter } from "../../runtime/handler/steer.ts";

const DAY_MS = 86_400_000;
const LIMITS = {
  maxAttempts: 5,
  maxAgeMs: Infinity,
  rateLimitBaseMs: 2_000,
  failureBaseMs: 5_000,
  capMs: 600_000,
};

test.each([-1, NaN, Infinity, -Infinity, 1e99, -1e99, 2 ** 53, Number.MAX_VALUE, 5e-324])(
  "a model that asks to be left alone for %p ms is left alone for a time between none and a day",
  (retry_after_ms) => {
    const failed = {
      error_type: "rate_limit",
      message: "",
      attempts: 0,
      deferrals: 3,
      ageMs: 0,
      retry_after_ms,
    };
    const decided = decideRetry(failed, LIMITS, () => 0.999);
    expect(decided.kind).toBe("again");
    if (decided.kind === "again") expect(decided.delayMs).toBeWithin(0, 1.05 * DAY_MS + 1);
  },
);

test("waits grow to their cap and no further, however often", () => {
  for (const deferrals of [10, 60, 1_100, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
    const failed = { error_type: "rate_limit", message: "", attempts: 0, deferrals, ageMs: 0 };
    expect(decideRetry(failed, LIMITS, () => 0)).toMatchObject({ kind: "again", delayMs: 600_000 });
  }
});

test.each(["-1", "NaN", "1e99", "", "Infinity", "0x10", "99999999999999999999", "tomorrow", "\u0661"])(
  "Retry-After: %p is nothing, or a finite time that is not negative",
  (value) => {
    const ms = retryAfterMs(new Headers({ "retry-after": encodeURI(value) }), 0);
    if (ms !== undefined) expect(ms).toBeWithin(0, Infinity);
  },
);

test.each(["365000d", "1e99d", "-1s", "NaNs", "Infinitys", "1y", "", "9".repeat(400) + "ms"])(
  "a delay of %p is refused where it is written",
  (duration) => {
    expect(() => durationMs(duration as Duration)).toThrow("is no duration");
    expect(() => new RetryAfter(duration as Duration)).toThrow();
  },
);

test("the longest delay is a leap year", () => {
  expect(durationMs("366d")).toBe(LONGEST_DURATION_MS);
  expect(() => durationMs("366.1d")).toThrow();
});

test.each([
  ["", 0n],
  ["0", 0n],
  ["9007199254740993", 9007199254740993n],
  ["999999999999999999", 999999999999999999n],
  ["9999999999999999999", null],
  ["-1", null],
  ["1e3", null],
  ["0x1", null],
  ["1 or 1=1", null],
])("a reader that was at %p goes on after %p", (id, row) => {
  expect(resumePoint(id)).toBe(row);
});

test.each([
  [0, null],
  [60_000, null],
  [60_001, 1],
  [90_500, 31],
  [1e99, 3_600],
  [Infinity, 3_600],
])("with a line of %d ms, a minute allowed, a new question comes back after %p s", (waitMs, seconds) => {
  expect(busyWith(waitMs, 60_000)?.retryAfterSeconds ?? null).toBe(seconds);
});
