/**
 * Every bound of the engine, in one table.
 */
export const LIMITS = {
  /** Records that one `take` may return. */
  takeRecords: 500,
  /**
   * A partition's share of what one handler holds in memory: this many records, or twice the handler's concurrency. Four
   * shares are held in all, whoever fills them. Pausing makes librdkafka throw away and fetch again, so it is kept for
   * partitions that stand still.
   */
  leastBufferedPerPartition: 128,
  /** A partition that holds its share and finished nothing for this long, while there is no room, is paused. */
  stallMs: 500,
  /** Values and keys in memory per handler; beyond it nothing is taken. */
  bufferedBytes: 32 * 1024 * 1024,
  /** Finished work waits at most this long for its commit: what a `kill -9` repeats. */
  commitIntervalMs: 250,
  /** How long a commit may take before partitions are given back without it. */
  commitMs: 5_000,
  /** How long revoked partitions may drain. */
  drainMs: 10_000,
  /** The first and the longest pause before a handler that lacks something is run again. */
  unavailableMs: 250,
  longestUnavailableMs: 5_000,
} as const;
