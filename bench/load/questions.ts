/**
 * So many different real questions, for runs whose ideal is computed from their number.
 *
 * In: a folder with XQuAD in English and Spanish and EVOUNA-NQ. Out: questions with different ids, in an order that mixes the
 * files, always the same. Never here: asking; who is asked how often.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CauceError } from "cauce";
import { parseDataset, readDataset, type DatasetQuestion } from "../../handlers/shared/questions/dataset.ts";
import { questionId } from "../../handlers/shared/questions/identity.ts";
import { FILES } from "../demo-real/questions.ts";

/** @throws CauceError `invalid_value` when a file cannot be read or the files hold fewer different questions. */
export async function differentQuestions(folder: string, count: number): Promise<readonly DatasetQuestion[]> {
  const [english, spanish, evouna] = FILES.map((file) => join(folder, file));
  const lists = [
    (await readDataset(english ?? "")).questions,
    (await readDataset(spanish ?? "")).questions,
    await everyEvounaQuestion(evouna ?? ""),
  ];
  const chosen = new Map<string, DatasetQuestion>();
  const longest = Math.max(...lists.map((list) => list.length));
  for (let row = 0; row < longest; row++) {
    for (const list of lists) {
      const question = list[row];
      if (question !== undefined) chosen.set(questionId(question), question);
      if (chosen.size === count) return [...chosen.values()];
    }
  }
  throw new CauceError(
    "invalid_value",
    `${folder} holds ${chosen.size} different questions, and ${count} were wanted`,
  );
}

/** Those too whose labels are improper: nobody reads labels here. */
async function everyEvounaQuestion(path: string): Promise<readonly DatasetQuestion[]> {
  const rows = JSON.parse(await readFile(path, "utf8")) as readonly Readonly<Record<string, unknown>>[];
  const proper = rows
    .filter(({ golden_answer }) => typeof golden_answer === "string" && golden_answer.trim() !== "")
    .map((row) => ({ ...row, improper: false }));
  return parseDataset(JSON.stringify(proper), path).questions;
}
