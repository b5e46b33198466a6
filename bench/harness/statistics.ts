/**
 * Statistics of few, noisy numbers: the median and how far it may be off.
 *
 * In: measured ratios. Out: median and a bootstrap interval. Pure: the same numbers give the same interval.
 * Never here: what is good or bad (verdict.ts).
 */

export interface Interval {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

const ROUNDS = 10_000;
const SHARE_OUTSIDE = 0.05;
const SEED = 20_240_229;

/** The median of numbers in any order; NaN of none. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [below = NaN, above = NaN] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 1 ? above : (below + above) / 2;
}

/** The value below which a share of the numbers lies, such as 0.99; NaN of none. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/**
 * The median with its 95 % interval, by the percentile bootstrap: the medians of 10,000 samples drawn with replacement.
 * Of one number it is that number alone.
 */
export function bootstrap(numbers: readonly number[]): Interval {
  const random = mulberry32(SEED);
  const draw = () => numbers[Math.floor(random() * numbers.length)] ?? NaN;
  const medians = Array.from({ length: ROUNDS }, () => median(numbers.map(draw)));
  medians.sort((a, b) => a - b);
  const at = (share: number) => medians[Math.round(share * (ROUNDS - 1))] ?? NaN;
  return { low: at(SHARE_OUTSIDE / 2), median: median(numbers), high: at(1 - SHARE_OUTSIDE / 2) };
}

/** A small generator of even numbers from 0 to 1 (Tommy Ettinger's), so that a page can be written again from the same lines. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
