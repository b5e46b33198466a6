/**
 * Answers with human right/wrong labels, from an EVOUNA file, in two fixed halves by the question's hash.
 *
 * In: the file's rows. Out: one row for each answer that a person labelled. Never here: judging, rows that the data set
 * itself calls improper.
 */
import { questionId } from "../../handlers/shared/questions/identity.ts";

export interface LabelledAnswer {
  /** Who gave the answer, or how it was made. */
  readonly system: string;
  readonly title: string;
  readonly reference: string;
  readonly answer: string;
  /** What the people said, or what is so by construction. */
  readonly right: boolean;
  /** Weights are found on "tuning" and reported on "unseen"; all answers to a question are in the same half. */
  readonly half: "tuning" | "unseen";
}

type Row = Readonly<Record<string, unknown>>;

export function labelledAnswers(rows: readonly unknown[]): readonly LabelledAnswer[] {
  const labelled: LabelledAnswer[] = [];
  for (const row of rows as readonly Row[]) {
    const { question: title, golden_answer: reference, improper } = row;
    if (improper === true || typeof title !== "string" || typeof reference !== "string") continue;
    const half = halfOf(title);
    for (const field of Object.keys(row).filter((name) => name.startsWith("answer_"))) {
      const system = field.slice("answer_".length);
      const answer = row[field];
      const right = row[`judge_${system}`];
      if (typeof answer === "string" && typeof right === "boolean") {
        labelled.push({ system, title, reference, answer, right, half });
      }
    }
  }
  return labelled;
}

export function halfOf(title: string): LabelledAnswer["half"] {
  const id = questionId({ title, content: "" });
  return Number.parseInt(id.slice(0, 2), 16) % 2 === 0 ? "tuning" : "unseen";
}
