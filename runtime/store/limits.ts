/**
 * Every bound of the store in one table. Times in ms.
 *
 * Never here: bounds of a single message; those are the engine's.
 */
export const STORE_LIMITS: StoreLimits = Object.freeze({
  /**
   * Inserts under way at a time, and the rows after which a gathered one takes no further call. More and larger ones write more rows a
   * second (`bun run bench schedule-bulk`), and a storm's rows then take the processors from everybody else: `bun run bench schedule-storm-p99`.
   */
  insertsAtOnce: 1,
  insertRows: 250,
  /** How long an insert that gives way is followed by none, as a share of the time that it took (`bun run bench schedule-storm-p99`). */
  insertRestShare: 0.5,
  /** And at most: one that took longer waited for a database, and took nothing from anybody. */
  insertLongestRestMs: 100,
  /**
   * Claims under way at a time: while some are acknowledged, another is read. Each has a connection of its own
   * (`bun run bench schedule-drain`).
   */
  claimsAtOnce: 4,
  /** Connections for statements, beside those of the claims and one for LISTEN. */
  poolSize: 4,
  /** No statement of the runtime is waited for longer; a black-holed server is "away" after this. */
  statementTimeoutMs: 15_000,
  connectTimeoutMs: 10_000,
  /** Migrations wait for one another, and may build an index. */
  migrationTimeoutMs: 600_000,
  /** A claim that is not published by then puts its rows back. Must be less than the producer's message.timeout.ms. */
  publishDeadlineMs: 20_000,
  /** Postgres ends a claim that stands still for so long. Must be more than the producer's message.timeout.ms. */
  idleInTransactionMs: 60_000,
  /** A key stays this long after its first insert: longer than any redelivery. */
  tombstoneMs: 8 * 86_400_000,
  /** Old keys are removed so often, so many at a time. */
  purgeEveryMs: 600_000,
  purgeBatch: 5_000,
  purgeBatches: 20,
  /** A topic with more rows than this is reported as having this many. */
  countedRows: 100_000,
  /** Counts are as old as this at most. */
  countsAgeMs: 2_000,
  /** How often LISTEN is probed, and how long a probe may take to come back. */
  probeEveryMs: 30_000,
  probeTimeoutMs: 2_000,
  /** While LISTEN delivers nothing the schedule is looked at so often instead. */
  deafRecheckMs: 1_000,
  /** Messages that may wait behind one fence; beyond it the partition of its key waits. */
  heldPerFence: 100_000,
  /** Of them, so many are on their way to the handler at once. */
  releasedPerFence: 100,
  /** A fence that has not moved for so long, and whose next message is nowhere in the schedule, sends that one again. */
  stuckFenceMs: 15 * 60_000,
  /** Characters of an error and of a reason that are kept. */
  errorLength: 2_000,
  reasonLength: 200,
});

export type StoreLimits = Readonly<
  Record<
    | "insertsAtOnce"
    | "claimsAtOnce"
    | "insertRows"
    | "insertRestShare"
    | "insertLongestRestMs"
    | "poolSize"
    | "statementTimeoutMs"
    | "connectTimeoutMs"
    | "migrationTimeoutMs"
    | "publishDeadlineMs"
    | "idleInTransactionMs"
    | "tombstoneMs"
    | "purgeEveryMs"
    | "purgeBatch"
    | "purgeBatches"
    | "countedRows"
    | "countsAgeMs"
    | "probeEveryMs"
    | "probeTimeoutMs"
    | "deafRecheckMs"
    | "heldPerFence"
    | "releasedPerFence"
    | "stuckFenceMs"
    | "errorLength"
    | "reasonLength",
    number
  >
>;
