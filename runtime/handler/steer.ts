/**
 * What a handler may throw to say what should happen to its message.
 * Anything else that it throws follows its retry rules.
 */
import { durationMs, type Duration } from "../ground/duration.ts";
import { CauceError } from "../ground/errors.ts";

/** Back at its due time. Burns no attempt unless told so: it counts as a deferral. */
export class RetryAfter extends CauceError {
  readonly delayMs: number;
  readonly burns: boolean;

  constructor(delay: Duration, options: { readonly reason?: string; readonly burns?: boolean } = {}) {
    super("retry_after", options.reason ?? "the handler asked to see this message later", {
      retryable: true,
    });
    this.delayMs = durationMs(delay);
    this.burns = options.burns ?? false;
  }
}

/** The end of this message: it becomes a dead letter with this reason. */
export class GiveUp extends CauceError {
  constructor(reason: string, options: { readonly cause?: unknown } = {}) {
    super("given_up", reason, options);
  }
}

/**
 * Something that this handler needs is away (its database, say). The message stays where it is, uncommitted;
 * the handler pauses and tries again until it is back. No attempt is spent.
 */
export class Unavailable extends CauceError {
  constructor(what: string, options: { readonly cause?: unknown } = {}) {
    super("unavailable", what, { retryable: true, ...options });
  }
}
