/**
 * What the pipeline needs of a model, and every way in which one can fail.
 *
 * In: a question, perhaps with the judge's feedback on an earlier answer. Out: an answer with the model's name and usage,
 * or one of the errors below. Never here: HTTP, prompts, waiting, retries. The schedule owns every retry.
 */

export interface ModelQuestion {
  readonly title: string;
  readonly content: string;
  /** What the judge missed in `previous`. */
  readonly feedback?: string;
  /** The answer that was not good enough. */
  readonly previous?: string;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
}

export interface ModelAnswer {
  readonly answer: string;
  /** The name under which the provider answered, which may differ from the one asked for. */
  readonly model: string;
  readonly usage: Usage;
}

export interface Model {
  /** The model that is asked for. */
  readonly name: string;
  /** The budget that its calls share with all who ask it; undefined where nobody limits them. */
  readonly budget?: string;
  /**
   * One call, no retry.
   * @throws ModelError of the kind that fits; when `signal` aborts, the signal's own reason.
   */
  answer(question: ModelQuestion, signal: AbortSignal): Promise<ModelAnswer>;
}

/** Closed: what `error_type` in `llm.errors` can be when a model call failed. */
export const ERROR_TYPES = [
  "rate_limit",
  "timeout",
  "overloaded",
  "bad_output",
  "refused",
  "context_too_long",
  "authentication",
  "unavailable",
] as const;
export type ErrorType = (typeof ERROR_TYPES)[number];

/** Base of all failures of a model call. Messages never hold a key, a header or a prompt. */
export abstract class ModelError extends Error {
  abstract readonly error_type: ErrorType;
  /** Can the same call succeed later without anyone changing anything? */
  readonly retryable: boolean = true;
  /** What it has used all the same, where the provider said so. */
  readonly usage: Usage | undefined;

  constructor(message: string, usage?: Usage) {
    super(message);
    this.name = new.target.name;
    this.usage = usage;
  }
}

/** Too many requests or tokens: wait. */
export class RateLimited extends ModelError {
  readonly error_type = "rate_limit";
  /** How long the provider asked us to wait, in whole milliseconds (0 to 24 h); undefined when it did not say. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs?: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** No whole answer before the deadline. */
export class ModelTimeout extends ModelError {
  readonly error_type = "timeout";
}

/** The provider is there but cannot take the call now (502, 503, 504, 529). */
export class Overloaded extends ModelError {
  readonly error_type = "overloaded";
  /** As in RateLimited. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs?: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** An answer came that cannot be used: no JSON, the wrong shape, empty, cut off or too large. */
export class BadOutput extends ModelError {
  readonly error_type = "bad_output";
}

/** The provider or the model declines this question: content policy, or a request that it calls invalid. */
export class Refused extends ModelError {
  readonly error_type = "refused";
  override readonly retryable = false;
}

/** The question is longer than the model can read. */
export class ContextTooLong extends ModelError {
  readonly error_type = "context_too_long";
  override readonly retryable = false;
}

/** The key is missing, wrong, without rights or without credit: every call will fail until a person acts. */
export class Unauthorized extends ModelError {
  readonly error_type = "authentication";
  override readonly retryable = false;
}

/** Nobody answers at the address, the provider failed inside, or it does not know the model. */
export class ModelUnavailable extends ModelError {
  readonly error_type = "unavailable";
}

/** Those that are told by their kind and message alone. */
export const ERROR_CLASSES = [
  ModelUnavailable,
  ModelTimeout,
  Overloaded,
  BadOutput,
  Refused,
  ContextTooLong,
] as const;
