/**
 * Answers that other systems once gave, read from an EVOUNA file, for the offline model to repeat.
 *
 * In: the file and the systems, in the order of successive attempts. Out: answers by question id.
 * Never here: the reference. `golden_answer` and the human labels are not looked at.
 */
import { readFile } from "node:fs/promises";
import { CauceError } from "cauce";
import { questionId } from "./identity.ts";

/** Question id (of the question with empty content) → one answer per attempt, in order. */
export type RecordedAnswers = ReadonlyMap<string, readonly string[]>;

/**
 * `systems` are the endings of the `answer_*` fields, such as ["gpt35", "gpt4"]: the first attempt gets the first
 * system's answer, a later one the next. Rows where a system has no answer use the rest.
 * @throws CauceError `invalid_value` when the file is no EVOUNA file or has no answer of a system.
 */
export async function readRecordedAnswers(
  path: string,
  systems: readonly string[],
): Promise<RecordedAnswers> {
  let rows: unknown;
  try {
    rows = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new CauceError(
      "invalid_value",
      `recorded answers cannot be read from ${path}: it is no JSON file`,
      {
        cause,
      },
    );
  }
  if (!Array.isArray(rows)) {
    throw new CauceError("invalid_value", `recorded answers: ${path} should be a JSON array of EVOUNA rows`);
  }
  const recorded = new Map<string, readonly string[]>();
  const seen = new Set<string>();
  for (const row of rows as readonly (Readonly<Record<string, unknown>> | null)[]) {
    const question = row?.["question"];
    if (typeof question !== "string") continue;
    const answers = systems.flatMap((system) => {
      const answer = row?.[`answer_${system}`];
      if (typeof answer !== "string" || answer.trim() === "") return [];
      seen.add(system);
      return [answer];
    });
    if (answers.length > 0) recorded.set(questionId({ title: question, content: "" }), answers);
  }
  const missing = systems.filter((system) => !seen.has(system));
  if (systems.length === 0 || missing.length > 0) {
    const wanted = missing.length > 0 ? missing.join(", ") : "any system";
    throw new CauceError("invalid_value", `recorded answers: ${path} has no answers of ${wanted}`);
  }
  return recorded;
}
