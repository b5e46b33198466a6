/**
 * The one error family of the runtime.
 *
 * In: what went wrong, in words for the person who must act. Out: an `Error` with a code from a closed set.
 * Never here: secrets. A message may name a host, a topic or a setting, never a password, a key or a token.
 */

/** Every way in which Cauce itself can fail. Closed: a new code is added here and in the errors table test. */
export type ErrorCode =
  /** A setting is missing or malformed. The message lists all of them. */
  | "config_invalid"
  /** A topic or a handler is declared in a way that cannot work. */
  | "declaration_invalid"
  /** librdkafka could not be found, fetched or built, or is one that we refuse. */
  | "library_unusable"
  /** Something embedded (broker, Postgres) could not be started or attached to. */
  | "embedded_failed"
  /** The broker refused or could not be reached. */
  | "broker"
  /** The broker takes less text beside an offset than came with a commit; nothing was committed. */
  | "metadata_refused"
  /** A record may or may not have been written: the same record must be sent again, under the same id. */
  | "possibly_persisted"
  /** The producer cannot go on and must be replaced by its owner. */
  | "producer_fatal"
  /** A record is larger than the broker accepts. */
  | "record_too_large"
  /** Postgres refused a statement. */
  | "database"
  /** Something that a handler or the runtime needs is away; waiting is right, no attempt is spent. */
  | "unavailable"
  /** Bytes that the topic's codec cannot read. */
  | "undecodable"
  /** A value that does not satisfy the topic's schema. */
  | "invalid_value"
  /** A handler made an output that it did not return, or returned one it did not make. */
  | "output_misused"
  /** A handler ran past its deadline. */
  | "handler_timeout"
  /** The process died so often while this message ran that it is not run again. */
  | "killed_process"
  /** A handler asked for the end of this message. */
  | "given_up"
  /** A handler asked to see this message again later. */
  | "retry_after"
  /** Work was stopped because the process shuts down or lost the partition; it is no failure of the message. */
  | "aborted"
  /** Something was used after it was closed or released. */
  | "closed"
  /** An invariant of Cauce itself does not hold: a defect, please report it. */
  | "defect";

export interface CauceErrorOptions {
  /** May the same call succeed later without anyone changing anything? Default false. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/** Base of all errors that Cauce throws. `code` says what happened, `retryable` whether waiting can help. */
export class CauceError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: CauceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** The text of anything that was thrown: an error's message, else the value as a string. Never throws. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name;
  try {
    return String(thrown);
  } catch {
    return "a value that cannot be shown";
  }
}
