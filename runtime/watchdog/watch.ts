/**
 * What the engine needs of the watchdog, and nothing more: an interface.
 *
 * In: which record is about to run. Out: the run's result, or the end of a record that must not run again.
 * Never here: how it is written down (journal.ts) and who is blamed (suspects.ts).
 */

/** What tells one record from all others: a recreated topic repeats offsets, but not with the same timestamps. */
export interface Coordinates {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
}

/** What is run again and again, each time for another subject. */
export interface Watched<Subject, Result> {
  readonly handler: string;
  readonly at: (subject: Subject) => Coordinates;
  readonly work: (subject: Subject) => Result | Promise<Result>;
  /** Called instead of `work` for a record that ended the process too often, with the reason in words. */
  readonly condemned: (subject: Subject, words: string) => Result;
}

export interface Watch {
  /**
   * Runs `work` with its coordinates written down, so that they are found when the process dies meanwhile. A record that a
   * process died on before runs while nothing else of this process does: the next death is its own or nobody's. Answers at once
   * where `work` does and nobody is suspected.
   */
  run<Subject, Result>(watched: Watched<Subject, Result>, subject: Subject): Result | Promise<Result>;
  /** The record is settled: nothing is held against it any more. */
  settled(handler: string, at: Coordinates): void;
  /** Partitions came to this process: what others wrote down is read again. */
  assigned(): void;
}
