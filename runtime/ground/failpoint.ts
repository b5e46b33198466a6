/**
 * Named places between two steps, where a test may end the process and see what becomes of the message.
 *
 * In: nothing, or from a test what to do at such a place. Out: nothing. Costs a comparison with null where nobody is armed,
 * and nothing arms it but `cauce/testing`. Never here: what happens there.
 */

/** Every place, in the order in which a message meets them. */
export const FAILPOINTS = [
  // The consumer's door: engine/consumer.ts, process.ts, settle.ts, topic-committer.ts.
  "consume.taken",
  "process.decoded",
  "process.handled",
  "settle.published",
  "settle.rows_written",
  "settle.letter_published",
  "settle.letter_written",
  "commit.before",
  "commit.after",
  // Where outputs and offsets go in one transaction: bus/kafka-transactions.ts.
  "transaction.before",
  "transaction.published",
  "transaction.offsets_sent",
  "transaction.committed",
  // The clock's door: scheduler/scheduler.ts, store/postgres.ts.
  "schedule.before_claim",
  "schedule.claimed",
  "schedule.published",
  "schedule.acknowledged",
  "schedule.deleted",
  "schedule.committed",
] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

let armed: ((point: Failpoint) => void) | null = null;

/** Called where a step ends. Does nothing unless a test has armed it. */
export function failpoint(point: Failpoint): void {
  if (armed !== null) armed(point);
}

/** Calls `visit` at every failpoint of this process, instead of what was armed before. Returns a function that ends it. */
export function armFailpoints(visit: (point: Failpoint) => void): () => void {
  armed = visit;
  return () => {
    if (armed === visit) armed = null;
  };
}
