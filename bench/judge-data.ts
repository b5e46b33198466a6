/**
 * Answers with human right/wrong labels, from an EVOUNA file, in two fixed halves by the question's hash.
 *
 * In: the file's path. Out: one row for each answer that a person labelled. Never here: judging.
 */
import { readFile } from "node:fs/promises";
import { questionId } from "../handlers/shared/questions/identity.ts";

export interface LabelledAnswer {
  readonly system: string;
  readonly title: string;
  readonly reference: string;
  readonly answer: string;
  /** What the people said. */
  readonly right: boolean;
  /** Weights are found on "tuning" and reported on "unseen"; all answers to a question are in the same half. */
  readonly half: "tuning" | "unseen";
}

export async function labelledAnswers(path: string): Promise<readonly LabelledAnswer[]> {
  const rows = JSON.parse(await readFile(path, "utf8")) as readonly Readonly<Record<string, unknown>>[];
  const labelled: LabelledAnswer[] = [];
  for (const row of rows) {
    const { question: title, golden_answer: reference, improper } = row;
    if (improper === true || typeof title !== "string" || typeof reference !== "string") continue;
    const id = await questionId({ title, content: "" });
    const half = Number.parseInt(id.slice(0, 2), 16) % 2 === 0 ? "tuning" : "unseen";
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
