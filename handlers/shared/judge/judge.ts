/**
 * What the pipeline needs of a judge.
 *
 * In: a question, the asker's reference and an answer. Out: five criteria, their total, the gate and what was missed.
 * Never here: how; and whether to ask again (see `passes` in rubric.ts).
 */
import type { Usage } from "../model/model.ts";
import type { Rubric } from "./rubric.ts";

export interface Judged {
  readonly title: string;
  readonly content: string;
  /** The asker's reference. It may be empty, and it may be wrong. */
  readonly best_answer: string;
  readonly answer: string;
}

export interface Judgement {
  /** Weighted total of `rubric`, 0 to 10, computed in code. */
  readonly score: number;
  readonly rubric: Rubric;
  /** Is accuracy at or above its gate? */
  readonly gate_passed: boolean;
  /** What to mend, in words for the model that answers again. Never the reference itself. */
  readonly feedback: string;
  /** Who judged, with which rubric: name, and version or hash. */
  readonly judge: string;
  /** `rubricHash` of the rubric and prompt by which it was scored. */
  readonly rubric_hash: string;
  /** What it used, all calls together; left out by a judge that is no model. */
  readonly usage?: Usage;
  /** Model calls that it took; left out likewise. */
  readonly calls?: number;
}

export interface Judge {
  readonly name: string;
  /** The model that is asked; undefined where none is and a judgement costs nothing. */
  readonly model?: string;
  /** @throws ModelError when the judge is a model and its call fails; when `signal` aborts, the signal's reason. */
  score(judged: Judged, signal: AbortSignal): Promise<Judgement>;
}
