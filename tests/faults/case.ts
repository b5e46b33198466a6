/**
 * What a fault case is, and what it answers.
 */
import type { RunVerdict } from "./run.ts";

/** Where a case finds the servers that it needs. */
export interface Services {
  readonly brokers: string;
  readonly databaseUrl: string;
}

export interface FaultCase {
  /** Its number in the list of faults that docs/faults.md names. */
  readonly number: number;
  /** What is done, and where. */
  readonly title: string;
  /** What must hold, in a few words. */
  readonly expected: string;
  /** Part of `bun run test`; the others run with `bun run faults` alone. */
  readonly quick: boolean;
  run(services: Services): Promise<RunVerdict>;
}

/** A verdict of a case that has no ledger: what it found is a list of complaints. */
export function verdictOf(work: {
  successes: number;
  repeats?: number;
  complaints: readonly string[];
}): RunVerdict {
  return {
    passed: work.complaints.length === 0,
    successes: work.successes,
    repeats: work.repeats ?? 0,
    complaints: work.complaints.join("; "),
  };
}
