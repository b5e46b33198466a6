/**
 * A measurement: what runs once and answers one or several benchmarks.
 *
 * In: a stage. Out: the pairs of each benchmark that it names. Never here: the judgement (verdict.ts).
 */
import type { Stage } from "./stage.ts";
import type { Limits, Pair } from "./verdict.ts";

export interface Benchmark extends Limits {
  /** Its name on the command line and in the line. */
  readonly name: string;
  /** The row of the table of limits that it belongs to, by its first words. */
  readonly row: string;
}

export interface Measurement {
  readonly benchmarks: readonly Benchmark[];
  readonly measure: (stage: Stage) => Promise<ReadonlyMap<string, readonly Pair[]>>;
}

/** A measurement that answers one benchmark. */
export function measurement(
  benchmark: Benchmark,
  measure: (stage: Stage) => Promise<readonly Pair[]>,
): Measurement {
  return {
    benchmarks: [benchmark],
    measure: async (stage) => new Map([[benchmark.name, await measure(stage)]]),
  };
}
