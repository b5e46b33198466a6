/**
 * Every bound of the engine, in one table.
 */
export const LIMITS = {
  /** Records that one `take` may return. */
  takeRecords: 1_000,
  /**
   * After so long the event loop gets its turn: handlers that make no promise would keep it. What they have made goes out then, together,
   * while it still lies in the processor's caches: longer turns make a message dearer. Looked at every so many records.
   */
  turnMs: 1,
  lookAtClockEvery: 16,
  /**
   * A partition's share of what one handler holds in memory: this many records, or twice the handler's concurrency. Four
   * shares are held in all, whoever fills them. Pausing makes librdkafka throw away and fetch again, so it is kept for
   * partitions that stand still.
   */
  leastBufferedPerPartition: 128,
  /**
   * Offsets remembered of a partition from its lowest unfinished one on, about 40 bytes each: what may finish above one slow
   * message before its partition is paused.
   */
  mostAboveFrontier: 100_000,
  /** A partition that holds its share and finished nothing for this long, while there is no room, is paused. */
  stallMs: 500,
  /** Values and keys in memory per handler; beyond it nothing is taken. */
  bufferedBytes: 32 * 1024 * 1024,
  /**
   * Outputs, or rows, that are settled by one call. An output of more than these bytes goes alone, so the few that are too large
   * for Kafka's default limit hold up no others.
   */
  settledTogether: { records: 1_000, bytes: 1024 * 1024 },
  /** Finished work waits at most this long for its commit: what a `kill -9` repeats. */
  commitIntervalMs: 250,
  /**
   * The text beside a commit that says what is finished above it, for brokers with Kafka's default
   * `offset.metadata.max.bytes`: 24,000 offsets above the lowest unfinished one in any pattern, without bound where
   * the finished ones lie side by side. What is finished beyond is repeated after a crash.
   */
  metadataBytes: 4_096,
  /**
   * How long a commit may take, beyond what the drain left of its own time, before partitions are given back without it; and the
   * pause before it is tried again.
   */
  commitMs: 5_000,
  commitAgainMs: 50,
  /**
   * A transaction of a handler whose outputs are there exactly once: work is gathered for so long, or until nothing has run for a
   * moment; with this much nothing more starts until it is committed.
   */
  transaction: { gatherMs: 100, idleMs: 5, messages: 20_000, bytes: 32 * 1024 * 1024 },
  /** How long revoked partitions may drain. */
  drainMs: 10_000,
  /**
   * A handler of whose last 50 messages (at least 20) four in five fail in its own code is taken for a bad deploy. One
   * message is tried every 30 s. In order of keys, a key counts for four messages at most.
   */
  breaker: { window: 50, least: 20, share: 0.8, probeMs: 30_000, perKey: 4 },
  /** A message of a newer schema version is looked at again after this long. */
  newerSchemaMs: 30_000,
  /**
   * Turns under a handler's limit. A turn that comes within `hereMs` is waited for in the process, and so is any where order is by
   * partition; others wait as rows and come `earlyMs` early, and those beyond `lookAgainMs` come half-way. What became of turns is
   * told within `tellMs`, and that they still run every `aliveMs`. So many budgets are remembered.
   */
  turns: {
    hereMs: 1_000,
    longestHereMs: 30_000,
    earlyMs: 500,
    lookAgainMs: 30_000,
    tellMs: 20,
    aliveMs: 8_000,
    longestPauseMs: 86_400_000,
    budgets: 10_000,
  },
  /** A handler that took records within this time has work, and others of its process whose messages fail give way to it. */
  neighbourMs: 1_000,
  /** Fenced keys of a handler that are remembered; with more, each of its messages asks the store. */
  fencedKeys: 100_000,
  /** The first and the longest pause before a handler that lacks something is run again. */
  unavailableMs: 250,
  longestUnavailableMs: 5_000,
} as const;

/** How long a handler that lacks something pauses before its next try, which doubles. `tries` counts from 1. */
export function unavailablePauseMs(tries: number): number {
  return Math.min(LIMITS.unavailableMs * 2 ** Math.min(tries - 1, 6), LIMITS.longestUnavailableMs);
}
