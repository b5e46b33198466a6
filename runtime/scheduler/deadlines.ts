/**
 * The order of the three deadlines that a claim stands on, checked at the start.
 *
 * Publish deadline < `message.timeout.ms` < `idle_in_transaction_session_timeout`: rows go back before the producer
 * gives up, and the producer gives up before Postgres frees the rows of a claimer that stands still. Otherwise two
 * schedulers could have the same row on its way for long.
 */
import { CauceError } from "../ground/errors.ts";

export interface ClaimDeadlines {
  /** How long the scheduler waits for the acknowledgement of what it claimed. */
  readonly publishDeadlineMs: number;
  /** The producer's `message.timeout.ms`: after it, nothing of a given-up batch is written any more. */
  readonly messageTimeoutMs: number;
  /** Postgres's `idle_in_transaction_session_timeout` of the claim's session. */
  readonly idleInTransactionMs: number;
}

/** @throws CauceError `config_invalid` that names the two that are in the wrong order. */
export function checkDeadlines({
  publishDeadlineMs,
  messageTimeoutMs,
  idleInTransactionMs,
}: ClaimDeadlines): void {
  const wrong: string[] = [];
  if (!(publishDeadlineMs > 0))
    wrong.push(`the publish deadline must be more than 0 ms, not ${publishDeadlineMs}`);
  if (!(publishDeadlineMs < messageTimeoutMs)) {
    wrong.push(
      `the publish deadline (${publishDeadlineMs} ms) must be less than message.timeout.ms (${messageTimeoutMs})`,
    );
  }
  if (!(messageTimeoutMs < idleInTransactionMs)) {
    wrong.push(
      `message.timeout.ms (${messageTimeoutMs}) must be less than ` +
        `idle_in_transaction_session_timeout (${idleInTransactionMs} ms)`,
    );
  }
  if (wrong.length > 0)
    throw new CauceError("config_invalid", `the scheduler's deadlines: ${wrong.join("; ")}`);
}
