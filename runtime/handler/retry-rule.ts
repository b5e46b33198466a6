/**
 * What a handler declares about retries. Data only: the decision is taken in `engine/retry.ts`.
 */
import { durationMs, type Duration } from "../ground/duration.ts";
import { CauceError } from "../ground/errors.ts";

export interface RetryRule {
  /**
   * `exponential`: base · 2^n, `linear`: base · (n + 1), `constant`: base. n counts what this rule spends:
   * attempts when it burns, deferrals when it does not.
   */
  readonly delay: "exponential" | "linear" | "constant";
  readonly base: Duration;
  /** No delay is longer. Default "1h". */
  readonly cap?: Duration;
  /** How often a message is tried in all, the first time counted, before it is a dead letter. Default 5. */
  readonly attempts?: number;
  /** Does a failure spend an attempt? Default true. Rate limits and the like do not: they count as deferrals. */
  readonly burns?: boolean;
  /** Share of the delay that chance takes away or adds, 0 to 1. Default 0.2. */
  readonly jitter?: number;
}

/** A class of errors, as `instanceof` knows it. `never` accepts every constructor, whatever it takes. */
export type ErrorClass = abstract new (...parameters: never) => Error;

/** Read from the top; the first class that fits decides. Errors that fit none follow `DEFAULT_RETRY`. */
export type RetryRules = readonly (readonly [ErrorClass, RetryRule])[];

/** Five attempts within about 15 s to 4 min: enough for a passing fault, short enough to notice a lasting one. */
export const DEFAULT_RETRY: RetryRule = { delay: "exponential", base: "1s", cap: "1h", attempts: 5 };

/** @throws CauceError `declaration_invalid` naming the field of the rule that cannot work. */
export function checkRetryRule(handler: string, rule: RetryRule): void {
  const refuse = (field: string, expected: string, came: unknown) => {
    throw new CauceError(
      "declaration_invalid",
      `handler ${handler}: retry.${field} must be ${expected}, not ${String(came)}`,
    );
  };
  if (!["exponential", "linear", "constant"].includes(rule.delay)) {
    refuse("delay", `"exponential", "linear" or "constant"`, rule.delay);
  }
  durationMs(rule.base);
  if (rule.cap !== undefined) durationMs(rule.cap);
  const { attempts = 1, jitter = 0 } = rule;
  if (!Number.isInteger(attempts) || attempts < 1) refuse("attempts", "a whole number from 1", attempts);
  if (!(jitter >= 0 && jitter <= 1)) refuse("jitter", "a number from 0 to 1", jitter);
}
