/**
 * What the work of one handler needs of those around it.
 */
import type { ConsumerOptions } from "./consumer-options.ts";
import type { Fence } from "./fence.ts";
import type { Task } from "./partition.ts";
import type { Processing } from "./process.ts";
import type { TransactionCommitter } from "./transaction-committer.ts";

export interface WorkOptions extends ConsumerOptions, Processing {
  /** Opens and closes the way for new runs. */
  readonly gate: (open: boolean) => void;
  /** Of a handler whose outputs are there exactly once. */
  readonly committer: TransactionCommitter | null;
  /** Of a handler that holds keys back while one of their messages waits. */
  readonly fence: Fence | null;
  /** Told of each task given to `start` whose run is over and which is being settled. */
  readonly settling: (task: Task) => void;
  /** Told of each message that is settled for good, and when, on the monotonic clock. */
  readonly finished: (task: Task, atMs: number) => void;
  /**
   * Told once of each task given to `start`: nothing of it runs any more. With what ended it where it was not settled: CauceError
   * `aborted` when its partition ended, all else is a defect.
   */
  readonly over: (task: Task, error: unknown) => void;
}
