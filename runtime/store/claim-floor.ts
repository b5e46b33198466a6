/**
 * Where a claim may begin: rows that were taken are locked, and once published leave dead entries at the front of the index, which each
 * claim would walk over again until vacuum comes, and vacuum does not come while anybody holds an old snapshot.
 *
 * In: the topics, what the last claim took. Out: a place in the order of due time and id before which nothing is expected. It is a guess
 * and it forgets itself: after a claim that failed or found little, and each `CLAIM_FROM_START_EVERY_MS`, a claim begins at the start.
 * So a row that others put back, or that somebody moved into the past, waits so much longer at most, and that only while there is a
 * backlog. Never here: SQL.
 */
import type { Clock } from "../ground/clock.ts";

/** A place in the claim's index; the due time in seconds since 1970. Thousands may be due at one instant: the id tells them apart. */
export interface Floor {
  readonly due_s: number;
  readonly id: string;
}

export interface ClaimFloor {
  at(topics: readonly string[]): Floor;
  /** A claim of these topics holds these rows: in the order of the claim, each topic's in order. */
  took(
    topics: readonly string[],
    taken: { readonly rows: readonly (Floor & { readonly topic: string })[]; readonly limit: number },
  ): void;
  forget(): void;
}

/** The longest that a row before the floor is not looked at. `bun run faults snapshots`, one run
 * each: 0.86 of the clean rate with the floor, 0.34 when always from the start. */
export const CLAIM_FROM_START_EVERY_MS = 1_000;
/** Before every row. */
export const START: Floor = Object.freeze({ due_s: -Infinity, id: "0" });

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
    took(topics, { rows, limit }) {
      const last = rows.at(-1);
      // Of several topics the last one's row need not be older than all that is left: they share a batch evenly.
      const alone = last !== undefined && rows.every(({ topic }) => topic === last.topic);
      of = nameOf(topics);
      floor = alone && rows.length >= limit ? { due_s: last.due_s, id: last.id } : START;
    },
    forget,
  };
}
