/**
 * What the handlers need from outside, and `handler` typed with it.
 *
 * Interfaces alone: no host, no database, no server is imported from here, so the handlers run wherever they are put.
 */
import { app } from "cauce";
import type { Failed, Validated } from "../../schema/topics.ts";
import type { Judge } from "./judge/judge.ts";
import type { Model } from "./model/model.ts";
import type { Calls } from "./model/pay-once.ts";
import type { RetryLimits } from "./flow/retry-policy.ts";

export interface Deps {
  readonly model: Model;
  readonly judge: Judge;
  /** Where calls of either are written down, so that each is paid once. */
  readonly calls: Calls;
  readonly results: Results;
  readonly limits: RetryLimits & {
    /** An answer with a lower score is generated again, 0 to 10. */
    readonly regenThreshold: number;
  };
  readonly clock: { nowMs(): number };
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** Where questions end. Both may be called again with the same value: repeats change nothing. */
export interface Results {
  /** Stores a result, ends its question as done, fills the cache. @throws Unavailable while the database is away. */
  store(value: Validated): Promise<void>;
  /** Ends a question as failed. @throws Unavailable while the database is away. */
  fail(value: Failed): Promise<void>;
}

export const { handler } = app<Deps>();
