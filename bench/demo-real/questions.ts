/**
 * Which questions the demonstration on real services asks.
 *
 * In: a folder with XQuAD in English and Spanish and EVOUNA-NQ. Out: so many different questions, a third of each, with
 * their ids. Never here: asking.
 */
import { join } from "node:path";
import { CauceError } from "cauce";
import { readDataset, type DatasetQuestion } from "../../handlers/shared/questions/dataset.ts";
import { questionId } from "../../handlers/shared/questions/identity.ts";

export interface ChosenQuestion extends DatasetQuestion {
  readonly id: string;
}

/** The files, as they are looked for in the folder. The last one has recorded answers too. */
export const FILES = ["xquad.en.json", "xquad.es.json", "evouna-nq.json"] as const;

/** @throws CauceError `invalid_value` when a file cannot be read or the files hold fewer different questions. */
export async function chooseQuestions(folder: string, count: number): Promise<readonly ChosenQuestion[]> {
  const datasets = await Promise.all(FILES.map((file) => readDataset(join(folder, file))));
  const chosen = new Map<string, ChosenQuestion>();
  const longest = Math.max(...datasets.map(({ questions }) => questions.length));
  for (let row = 0; row < longest && chosen.size < count; row++) {
    for (const { questions } of datasets) {
      const question = questions[row];
      if (question === undefined || chosen.size === count) continue;
      const id = questionId(question);
      if (!chosen.has(id)) chosen.set(id, { ...question, id });
    }
  }
  if (chosen.size === count) return [...chosen.values()];
  throw new CauceError(
    "invalid_value",
    `${folder} holds ${chosen.size} different questions, and ${count} were wanted`,
  );
}
