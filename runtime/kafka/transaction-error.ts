/**
 * What a transaction's failure asks of the owner of its producer.
 *
 * In: what librdkafka refused. Out: one of three things to do. Never here: how that is decided (transactions.ts).
 */
import { CauceError } from "../ground/errors.ts";

/**
 * What the owner of the producer must do:
 * `retry` the same call; `abort` this transaction and do its work again; `replace` this producer by a new one.
 */
export type TransactionRemedy = "retry" | "abort" | "replace";

/** Why a transaction did not go on. Code `producer_fatal` with `replace`, else `broker`. */
export class TransactionError extends CauceError {
  readonly remedy: TransactionRemedy;
  /** librdkafka's number, or 0 where it was not asked. */
  readonly err: number;

  constructor(remedy: TransactionRemedy, message: string, err = 0) {
    super(remedy === "replace" ? "producer_fatal" : "broker", message, { retryable: true });
    this.remedy = remedy;
    this.err = err;
  }
}
