/**
 * Messages as the store holds them: waiting, due, parked, dead.
 *
 * In: what the engine decided. Out: shapes alone. Never here: what may be done with them (store.ts, fences.ts).
 */
import type { OutgoingRecord } from "../bus/bus.ts";

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
  /** Version of the topic's schema by which it was written: processes that know older ones alone leave it. Default: any. */
  readonly version?: number;
}

/** Where a message stands at a fence. It travels with the message and comes back with it. */
export interface Place {
  /** Number of the fence, in decimal. */
  readonly fence: string;
  /** 1 for the message that failed first, then in order. */
  readonly turn: number;
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
  /** Inserted or edited by hand: nobody has checked it against its topic yet. Absent for what the runtime wrote. */
  readonly byHand?: ByHand;
}

/** What completes a message that was written by hand. */
export interface ByHand {
  /** When it was made, in ms since 1970. */
  readonly bornAtMs: number;
  /** The version that its row names; null for any. */
  readonly version: number | null;
}

/** A message that was written by hand and does not fit its topic. */
export interface Misfit {
  readonly due: DueMessage;
  /** What is wrong with it, in words. */
  readonly problem: string;
}

/** Topic → the highest version of its schema that this process knows. A topic that is not in it: any. */
export type TopicVersions = ReadonlyMap<string, number>;
