/**
 * A judge's verdicts on many answers.
 *
 * In: a judge, labelled answers. Out: a verdict for each, in the same order, and how many could not be judged.
 * Never here: more than a few calls at once; trying a failed call again.
 */
import { CauceError } from "cauce";
import type { Judge } from "../../handlers/shared/judge/judge.ts";
import { passes } from "../../handlers/shared/judge/rubric.ts";
import type { Verdict } from "./agreement.ts";
import type { LabelledAnswer } from "./labelled.ts";

const CALLS_AT_ONCE = 8;

export interface RowVerdict extends Verdict {
  readonly row: LabelledAnswer;
}

export interface Judgements {
  readonly verdicts: readonly RowVerdict[];
  readonly failed: number;
}

/** @throws CauceError `unavailable`, with the last failure, when not one answer could be judged. */
export async function judgeAll(judge: Judge, rows: readonly LabelledAnswer[]): Promise<Judgements> {
  const verdicts: (RowVerdict | undefined)[] = Array.from({ length: rows.length });
  const never = new AbortController().signal;
  let failure: unknown;
  let next = 0;
  const work = async () => {
    for (let index = next++; index < rows.length; index = next++) {
      const row = rows[index];
      if (row === undefined) return;
      const { title, reference, answer, right } = row;
      try {
        const judgement = await judge.score({ title, content: "", best_answer: reference, answer }, never);
        const accuracy = judgement.rubric.accuracy;
        verdicts[index] = { row, question: title, right, accuracy, passed: passes(judgement) };
      } catch (thrown) {
        failure = thrown;
      }
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, work));
  const found = verdicts.filter((verdict) => verdict !== undefined);
  if (found.length > 0 || rows.length === 0) return { verdicts: found, failed: rows.length - found.length };
  const why = failure instanceof Error ? failure.message : "no reason";
  throw new CauceError("unavailable", `the judge failed at every answer; the last time: ${why}`);
}
