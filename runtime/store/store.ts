/**
 * The store: what the engine and the scheduler need of Postgres, and nothing more.
 *
 * In: messages that must wait, dead letters. Out: due messages, one claim at a time.
 * Two forms stand behind it: `postgres.ts` and `memory.ts`; both pass one contract suite.
 * Never here: what a message means. Keys, values and header values are bytes.
 */
import type { OutgoingRecord } from "../bus/bus.ts";
import type { Fences, Place } from "./fences.ts";

/** What makes a waiting message the same one when its insert is repeated. */
export interface ScheduleKey {
  /** The handler that asked for it, or "client" for code that is no handler. */
  readonly handler: string;
  readonly messageId: string;
  readonly delivery: number;
}

export interface ScheduledMessage extends ScheduleKey {
  /** What is published when it is due; headers carry the counters already. */
  readonly record: OutgoingRecord;
  /** `retry`: back to the same handler. `output`: an output delayed by `after`. */
  readonly kind: "retry" | "output";
  /** One or few words for people: why it waits (`rate_limit`, `timeout`, `RateLimited`, …). */
  readonly reason: string;
  /** The failure in words, bounded to 2,000 characters; empty where nothing failed. */
  readonly error: string;
  readonly attempts: number;
  readonly deferrals: number;
  /** How long from now, by the database's clock, in ms. 0 is due at once. */
  readonly delayMs: number;
  /** When the message was made, in ms since 1970; retries keep it, and its greatest age counts from here. */
  readonly bornAtMs: number;
  /** Where it stands at a fence, for a message that came back with a place. */
  readonly place?: Place;
}

export interface DeadLetter extends ScheduleKey {
  /** The record as it came, bytes untouched. */
  readonly record: OutgoingRecord;
  readonly partition: number;
  readonly offset: number;
  /** The closed set of causes that people group by: an `ErrorCode` or the class name of the handler's error. */
  readonly cause: string;
  readonly error: string;
  readonly attempts: number;
  readonly deferrals: number;
}

/** A due message in the hands of the scheduler. */
export interface DueMessage extends ScheduleKey {
  /** The row's number: order of insertion, and what people see in the view. */
  readonly row: bigint;
  readonly record: OutgoingRecord;
  readonly attempts: number;
  readonly deferrals: number;
  /** How late it is at the claim, in ms by the database's clock; never negative. */
  readonly lateMs: number;
  /** Where it stands at a fence; travels with the record. */
  readonly place?: Place;
}

export interface ClaimOptions {
  /** Only rows for these topics: a scheduler claims only what its process declares. */
  readonly topics: readonly string[];
  readonly limit: number;
  /** Publishes the claimed rows and resolves when all are acknowledged; a rejection puts every row back. */
  readonly publish: (due: readonly DueMessage[]) => Promise<void>;
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
  /**
   * Writes rows in one transaction and wakes the scheduler where one is due earlier than known.
   * A key that was ever written before (live, published or cancelled) is ignored: repeats are harmless.
   * @returns how many rows are new. Rejects with `CauceError`: `unavailable` when waiting can help, else `database`.
   */
  schedule(messages: readonly ScheduledMessage[]): Promise<number>;
  /** Writes dead letters; a repeat of (handler, message id, delivery) is ignored. Errors as `schedule`. */
  bury(letters: readonly DeadLetter[]): Promise<number>;
  /**
   * One transaction: takes up to `limit` due rows that no one else holds, in order of due time, hands them to
   * `publish`, deletes them and commits. Never returns a row before its due time by the database's clock.
   * @returns how many were published.
   */
  claim(options: ClaimOptions): Promise<number>;
  /** Milliseconds until the next row of these topics is due, 0 when one is, null when none waits. */
  nextDueMs(topics: readonly string[]): Promise<number | null>;
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
