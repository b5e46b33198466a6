/**
 * The outbox: messages that are written in the caller's own database transaction, and published when that commits.
 *
 * In: a transaction of drizzle or postgres.js, told by its shape. Out: types alone. Never here: a driver.
 */
import type { Duration } from "../ground/duration.ts";
import type { AnyTopic, InputOf, Key } from "../handler/topic.ts";

/** Takes a transaction; what is sent through it stands and falls with it. */
export type Outbox = (transaction: Transaction) => OutboxOf;

export interface OutboxOf {
  /**
   * Checks one value and writes it into the transaction; resolves with the message's id. It is published after the commit, as
   * soon as it is due, and never when the transaction rolls back. The same `id` sent again is ignored, also by a later transaction.
   * @throws CauceError `invalid_value` when the schema refuses it, before anything is written; `database` or `unavailable` when
   * the statement failed, and the transaction with it.
   */
  readonly send: <T extends AnyTopic>(
    topic: T,
    value: InputOf<T>,
    options?: OutboxOptions,
  ) => Promise<string>;
}

export interface OutboxOptions {
  /** The message's id, 1 to 256 characters. Default: a random one. */
  readonly id?: string;
  /** Published that much after it was written. Default: when the transaction commits. */
  readonly after?: Duration;
  /** Default: as the topic makes it from the value. */
  readonly key?: Key;
  /** More headers. Those of the envelope (`ce_…`, `cauce_…`, `content-type`, `traceparent`) are Cauce's own. */
  readonly headers?: Readonly<Record<string, string | Uint8Array>>;
  /** Why it waits, for the people who look at the schedule. */
  readonly reason?: string;
  /** W3C trace that this message belongs to. */
  readonly traceparent?: string;
}

export type Transaction = DriverTransaction | BuilderTransaction;

/** What postgres.js hands to the function of `sql.begin` (and Bun's own `SQL` too). */
export interface DriverTransaction {
  unsafe(statement: string, parameters?: (string | null)[]): PromiseLike<unknown>;
  /** Only a transaction has it: `sql` itself is refused. */
  readonly savepoint: (...given: never[]) => unknown;
}

/** What drizzle hands to the function of `db.transaction`. */
export interface BuilderTransaction {
  execute(statement: string): PromiseLike<unknown>;
  /** Only a transaction has it: `db` itself is refused. */
  readonly rollback: () => never;
}
