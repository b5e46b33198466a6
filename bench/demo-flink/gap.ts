/**
 * The gap that a failure tears into a stream of results.
 *
 * In: when results became visible, and when the failure was. Out: the last one before, the first one after, the time between.
 * Pure. Never here: why it took so long.
 */

export interface Gap {
  /** From the failure to the first result after it, in ms; null when none came. */
  readonly untilFirstMs: number | null;
  /** Between the last result before the failure and the first one after it, in ms; null when one of them is missing. */
  readonly lengthMs: number | null;
}

/**
 * Results that were committed before the failure may still arrive a moment after it (`settleMs`): the gap begins behind them, so
 * the longest pause that begins between the failure's last result and `settleMs` after it is taken.
 */
export function gapAround(timesMs: readonly number[], failedMs: number, settleMs: number): Gap {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const from = sorted.findLastIndex((time) => time <= failedMs);
  let best: { readonly start: number; readonly end: number } | null = null;
  for (let at = Math.max(0, from); at + 1 < sorted.length; at++) {
    const [start = 0, end = 0] = sorted.slice(at, at + 2);
    if (start > failedMs + settleMs) break;
    if (end > failedMs && (best === null || end - start > best.end - best.start)) best = { start, end };
  }
  return best === null
    ? { untilFirstMs: null, lengthMs: null }
    : { untilFirstMs: best.end - failedMs, lengthMs: best.end - best.start };
}
