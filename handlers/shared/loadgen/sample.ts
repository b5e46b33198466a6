/**
 * How a run stood at one moment.
 */
import type { Depth } from "./depth.ts";

/** All counts from the start of the run. */
export interface Sample {
  /** From the start, in ms. */
  readonly atMs: number;
  readonly asked: number;
  readonly hits: number;
  readonly answered: number;
  readonly failed: number;
  /** Sends that were repeated, and waits of questions for a retry, as seen. */
  readonly resent: number;
  readonly waits: number;
  /** Acknowledged questions that have not ended, and sends that are not acknowledged, now. */
  readonly open: number;
  readonly sending: number;
  /** What the door's metrics say, where it has them. */
  readonly depth: Depth | undefined;
}
