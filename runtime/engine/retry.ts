/**
 * The retry decision. Pure: error, counters, rules, time and chance in; a verdict out.
 */
import { describeMs, durationMs, LONGEST_DURATION_MS } from "../ground/duration.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import type { Random } from "../ground/clock.ts";
import { DEFAULT_RETRY, type RetryRule, type RetryRules } from "../handler/retry-rule.ts";
import { GiveUp, RetryAfter } from "../handler/steer.ts";
import type { Envelope } from "./envelope.ts";

export type Verdict =
  | {
      readonly kind: "retry";
      readonly delayMs: number;
      readonly attempts: number;
      readonly deferrals: number;
      readonly reason: string;
      readonly error: string;
    }
  | {
      readonly kind: "dead";
      readonly cause: string;
      readonly error: string;
      readonly attempts: number;
      readonly deferrals: number;
    }
  | { readonly kind: "unavailable"; readonly reason: string };

export interface RetryQuestion {
  readonly thrown: unknown;
  readonly envelope: Envelope;
  readonly rules: RetryRules;
  readonly maxAgeMs: number;
  readonly nowMs: number;
  readonly random: Random;
}

const DEFAULT_CAP_MS = durationMs("1h");
const DEFAULT_JITTER = 0.2;
/** Errors may quote a whole document; rows and headers keep this much. */
export const LONGEST_ERROR_TEXT = 2_000;

/** Retry, and when; or the end, and why. */
export function decideRetry({ thrown, envelope, rules, maxAgeMs, nowMs, random }: RetryQuestion): Verdict {
  const error = messageOf(thrown).slice(0, LONGEST_ERROR_TEXT);
  const cause = causeOf(thrown);
  const { attempts, deferrals } = envelope;
  if (thrown instanceof CauceError && thrown.code === "unavailable")
    return { kind: "unavailable", reason: error };
  if (thrown instanceof GiveUp) return { kind: "dead", cause, error, attempts: attempts + 1, deferrals };
  const rule = ruleFor(thrown, rules);
  const burns = thrown instanceof RetryAfter ? thrown.burns : (rule.burns ?? true);
  const spent = { attempts: attempts + (burns ? 1 : 0), deferrals: deferrals + (burns ? 0 : 1) };
  if (burns && spent.attempts >= (rule.attempts ?? 5)) return { kind: "dead", cause, error, ...spent };
  const asked = thrown instanceof RetryAfter ? thrown.delayMs : askedDelayMs(thrown);
  const delayMs = asked ?? delayFor(rule, burns ? attempts : deferrals, random);
  if (nowMs + delayMs - envelope.bornAtMs > maxAgeMs) {
    const old = `older than ${describeMs(maxAgeMs)} at its next try; the last failure was: ${error}`;
    return { kind: "dead", cause, error: old.slice(0, LONGEST_ERROR_TEXT), ...spent };
  }
  return { kind: "retry", delayMs, ...spent, reason: cause, error };
}

/** What people group by: the code of our own errors, else the class name of the handler's. */
export function causeOf(thrown: unknown): string {
  if (thrown instanceof CauceError && thrown.name.endsWith("CauceError")) return thrown.code;
  if (thrown instanceof Error) return thrown.name || "Error";
  return typeof thrown;
}

function ruleFor(thrown: unknown, rules: RetryRules): RetryRule {
  for (const [kind, rule] of rules) if (thrown instanceof kind) return rule;
  return DEFAULT_RETRY;
}

/** An error may carry the delay that its sender asked for (`retryAfterMs`, as from a `Retry-After` header). It wins. */
function askedDelayMs(thrown: unknown): number | null {
  if (!(thrown instanceof Error) || !("retryAfterMs" in thrown)) return null;
  const asked = thrown.retryAfterMs;
  return typeof asked === "number" && asked >= 0 ? Math.min(Math.round(asked), LONGEST_DURATION_MS) : null;
}

function delayFor(rule: RetryRule, count: number, random: Random): number {
  const baseMs = durationMs(rule.base);
  const capMs = rule.cap === undefined ? DEFAULT_CAP_MS : durationMs(rule.cap);
  const grown =
    rule.delay === "exponential"
      ? baseMs * 2 ** Math.min(count, 50)
      : rule.delay === "linear"
        ? baseMs * (count + 1)
        : baseMs;
  const jitter = rule.jitter ?? DEFAULT_JITTER;
  return Math.round(Math.min(Math.min(grown, capMs) * (1 + jitter * (2 * random() - 1)), capMs));
}
