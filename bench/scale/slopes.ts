/**
 * What was measured for docs/scale.md, and on what.
 */
import type { PartitionsPoint } from "./partitions.ts";
import type { ProcessesPoint } from "./processes.ts";
import type { QuestionCosts } from "./questions.ts";
import type { RowsPoint } from "./rows.ts";

export interface Slopes {
  readonly day: string;
  readonly machine: string;
  readonly versions: string;
  readonly question: QuestionCosts;
  readonly processes: readonly ProcessesPoint[];
  readonly partitions: readonly PartitionsPoint[];
  readonly rows: readonly RowsPoint[];
}
