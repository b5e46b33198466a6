/**
 * From measured pairs to the one line that a benchmark ends with.
 *
 * In: limits and pairs of a reference and ours. Out: median and interval of the ratios, judged at the bad end.
 * A run that lost, repeated or changed a message makes the whole benchmark score 0. Never here: measuring.
 */
import { bootstrap } from "./statistics.ts";

export interface Limits {
  /** What is measured, for people: "C loop / binding, CPU per message". */
  readonly reference: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly must: number;
  readonly aim: number;
}

/** One comparison: the number that counts, and how many messages did not come out as they should, on either side. */
export interface Pair {
  readonly value: number;
  readonly faults: number;
}

export interface Line {
  readonly name: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly unit: string;
  readonly reference: string;
  readonly must: number;
  readonly aim: number;
  readonly pass: boolean;
  readonly pairs: number;
  /** Messages lost, repeated, changed or out of order over all runs. */
  readonly faults: number;
  /** Present in a shortened run, which proves nothing and never passes. */
  readonly quick?: true;
}

/** Fewer pairs than this prove nothing. */
export const LEAST_PAIRS = 7;

export function judge(
  name: string,
  limits: Limits,
  pairs: readonly Pair[],
  { quick = false }: { readonly quick?: boolean } = {},
): Line {
  const { reference, unit, better, must, aim } = limits;
  const faults = pairs.reduce((sum, pair) => sum + pair.faults, 0);
  const usable = pairs.length > 0 && pairs.every(({ value }) => Number.isFinite(value));
  const { low, median, high } =
    faults === 0 && usable ? bootstrap(pairs.map(({ value }) => value)) : { low: 0, median: 0, high: 0 };
  const reached = better === "higher" ? low >= must : high <= must;
  return {
    name,
    value: rounded(median),
    low: rounded(low),
    high: rounded(high),
    unit,
    reference,
    must,
    aim,
    pass: reached && usable && faults === 0 && !quick && pairs.length >= LEAST_PAIRS,
    pairs: pairs.length,
    faults,
    ...(quick ? { quick: true } : {}),
  };
}

/** Three places: more are noise. */
function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
