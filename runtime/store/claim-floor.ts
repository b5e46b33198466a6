/**
 * Where a claim may begin: rows that were published leave dead entries at the front of the index, which each claim would
 * walk over again until vacuum comes, and vacuum does not come while anybody holds an old snapshot.
 *
 * In: the topics, what a claim took. Out: a due time before which nothing is expected. It is a guess and it forgets itself: after
 * a claim that failed or found little, and each `CLAIM_FROM_START_EVERY_MS`, a claim begins at the start. So a row that others put
 * back, or that somebody moved into the past, waits so much longer at most, and that only while there is a backlog.
 * Never here: SQL.
 */
import type { Clock } from "../ground/clock.ts";

export interface ClaimFloor {
  /** The due time as Postgres writes it, for these topics. */
  at(topics: readonly string[]): string;
  /** A claim of these topics has committed; `dueAts` in the order of the claim, each topic's in order. */
  claimed(
    topics: readonly string[],
    taken: { readonly dueAts: readonly { topic: string; due_at: string }[]; readonly limit: number },
  ): void;
  forget(): void;
}

/** The longest that a row before the floor is not looked at. `bun run faults snapshots`, one run
 * each: 0.86 of the clean rate with the floor, 0.34 when always from the start. */
export const CLAIM_FROM_START_EVERY_MS = 1_000;
/** Before every row. */
export const START = "-infinity";

export function claimFloor(clock: Clock): ClaimFloor {
  let of = "";
  let floor = START;
  let startedMs = -Infinity;

  const nameOf = (topics: readonly string[]) => topics.join("\0");
  const forget = () => void (floor = START);
  return {
    at(topics) {
      const nowMs = clock.monotonicMs();
      if (of !== nameOf(topics) || nowMs - startedMs >= CLAIM_FROM_START_EVERY_MS) forget();
      if (floor === START) startedMs = nowMs;
      return floor;
    },
    claimed(topics, { dueAts, limit }) {
      const [first] = dueAts;
      // Of several topics the first one's row need not be the oldest that is left: they share a batch evenly.
      const alone = first !== undefined && dueAts.every(({ topic }) => topic === first.topic);
      of = nameOf(topics);
      floor = alone && dueAts.length >= limit ? first.due_at : START;
    },
    forget,
  };
}
