/**
 * The store: what the engine and the scheduler need of Postgres, and nothing more.
 *
 * In: messages that must wait, dead letters. Out: due messages, one claim at a time.
 * Two forms stand behind it: `postgres.ts` and `memory.ts`; both pass one contract suite.
 * Never here: what a message means. Keys, values and header values are bytes.
 */
import type { Fences } from "./fences.ts";
import type { Turns } from "./turns.ts";
import type { DeadLetter, DueMessage, Misfit, ScheduledMessage, TopicVersions } from "./message.ts";

export type {
  ByHand,
  DeadLetter,
  DueMessage,
  Misfit,
  Place,
  ScheduledMessage,
  ScheduleKey,
  TopicVersions,
} from "./message.ts";

export interface ClaimOptions {
  /** Only rows for these topics: a scheduler claims only what its process declares. */
  readonly topics: readonly string[];
  /** Rows of a version above these are left to newer processes. Default: any version is taken. */
  readonly versions?: TopicVersions;
  readonly limit: number;
  /**
   * Publishes the claimed rows and resolves when all are acknowledged, with those that do not fit their topic, if any: they
   * were not published, and are parked. A rejection puts every row back.
   */
  readonly publish: (due: readonly DueMessage[]) => Promise<readonly Misfit[] | void>;
}

export interface ScheduleCounts {
  readonly topic: string;
  readonly waiting: number;
  readonly due: number;
  /** Age of the oldest due row in ms past its due time; 0 where none is due. */
  readonly oldestDueMs: number;
}

export interface Store {
  /** For people and logs: what this store is, without secrets. */
  readonly description: string;
  /** Did the last statement reach the database? */
  readonly connected: boolean;
  readonly fences: Fences;
  readonly turns: Turns;
  /**
   * Writes rows in one transaction and wakes the scheduler where one is due earlier than known.
   * A key that was ever written before (live, published or cancelled) is ignored: repeats are harmless.
   * With `giveWay` the store rests a while after it before it writes more: others need the processors too. Default: it does not.
   * @returns how many rows are new. Rejects with `CauceError`: `unavailable` when waiting can help, else `database`.
   */
  schedule(messages: readonly ScheduledMessage[], options?: { readonly giveWay?: boolean }): Promise<number>;
  /** Writes dead letters; a repeat of (handler, message id, delivery) is ignored. Errors as `schedule`. */
  bury(letters: readonly DeadLetter[]): Promise<number>;
  /**
   * One transaction: takes up to `limit` due rows that no one else holds, in order of due time, hands them to
   * `publish`, deletes or parks them and commits. Never returns a row before its due time by the database's clock.
   * @returns how many were taken.
   */
  claim(options: ClaimOptions): Promise<number>;
  /** So many claims may be under way at a time; more wait for each other. */
  readonly claimsAtOnce: number;
  /** Milliseconds until the next row of these topics is due, 0 when one is, null when none waits for this process. */
  nextDueMs(topics: readonly string[], versions?: TopicVersions): Promise<number | null>;
  /** Calls back whenever a row may have become due earlier than known. Returns a function that ends it. */
  onEarlier(call: () => void): () => void;
  /** Calls back when somebody says that a paused handler shall go on. Returns a function that ends it. */
  onResume(handler: string, call: () => void): () => void;
  /** Tells every process of this app that a paused handler shall go on. Errors as `schedule`. */
  resume(handler: string): Promise<void>;
  /** Counts per topic for metrics; may be up to some seconds old. */
  counts(): Promise<readonly ScheduleCounts[]>;
  close(): Promise<void>;
}
