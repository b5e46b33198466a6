/**
 * How many rows the next claim takes: few while little is due, more and more while there is a backlog.
 *
 * In: what the last claim brought. Out: a number of rows. A claim's rows are in memory, and locked, until they are acknowledged, so
 * it is bounded by rows and, as far as the last one tells, by bytes. Larger claims drain faster (`bun run bench schedule-drain`); but
 * 2,000 rows keep the event loop from handlers in the same process, whose median latency in a storm grew four times
 * (`bun run bench schedule-storm-p50`). Pure.
 */
export interface ClaimSize {
  /** Rows that the next claim may take. */
  readonly rows: number;
  /** A claim that might take `asked` rows brought so many, of so many bytes together. */
  brought(claim: { readonly asked: number; readonly taken: number; readonly bytes: number }): void;
}

/** A claim of a quiet schedule. */
const FEWEST_ROWS = 250;
/** What a claim's values and keys should not exceed by much. */
const BYTES = 8 * 1024 * 1024;

/** @param most Rows that a claim takes at most. */
export function claimSize(most: number): ClaimSize {
  const least = Math.min(FEWEST_ROWS, most);
  let rows = least;
  return {
    get rows() {
      return rows;
    },
    brought({ asked, taken, bytes }) {
      const fitting = bytes === 0 ? most : Math.max(1, Math.floor((BYTES * taken) / bytes));
      const wanted = taken >= asked ? asked * 2 : Math.max(least, taken);
      rows = Math.min(wanted, fitting, most);
    },
  };
}
