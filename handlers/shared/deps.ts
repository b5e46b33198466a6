/**
 * What the handlers need from outside, and `handler` typed with it.
 *
 * Interfaces alone: no host, no database, no server is imported from here, so the handlers run wherever they are put.
 */
import { app, type Limit } from "cauce";
import type { Failed, Request, requests, Validated } from "../../schema/topics.ts";
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
    /** What the model may be asked, by all processes together; undefined: nobody said. */
    readonly model: {
      readonly requestsPerMinute: number | undefined;
      readonly tokensPerMinute: number | undefined;
      readonly inFlight: number | undefined;
    };
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

/** The limit of a handler that asks the model, or does so unless `asks` says no: one budget for all who ask it. */
export function modelLimit(asks: (deps: Deps) => boolean = () => true) {
  return {
    by: (_: unknown, deps: Deps) => (asks(deps) ? (deps.model.budget ?? null) : null),
    perMinute: ({ limits }) => limits.model.requestsPerMinute,
    tokensPerMinute: ({ limits }) => limits.model.tokensPerMinute,
    inFlight: ({ limits }) => limits.model.inFlight,
    tokens: ({ value }: { readonly value: Request }) => expectedTokens(value),
  } satisfies Limit<typeof requests, Deps>;
}

/** Before the model has counted: about four characters a token, and an answer of some sentences. */
export function expectedTokens({ title, content, best }: Request): number {
  return EXPECTED_ANSWER_TOKENS + (title.length + content.length + (best?.answer.length ?? 0)) / 4;
}

const EXPECTED_ANSWER_TOKENS = 300;
