/**
 * Labelled answers from the file that the command names.
 *
 * In: paths, how many at most. Out: answers, and whether people labelled them or the way they were made.
 * Never here: judging.
 */
import { readFile } from "node:fs/promises";
import { CauceError } from "cauce";
import { parseDataset, readDataset } from "../../handlers/shared/questions/dataset.ts";
import { share } from "../../handlers/shared/model/offline/script.ts";
import { constructedAnswers } from "./constructed.ts";
import { labelledAnswers, type LabelledAnswer } from "./labelled.ts";

export interface Answers {
  readonly rows: readonly LabelledAnswer[];
  readonly labelled: "people" | "construction";
}

export interface ReadOptions {
  readonly data: string;
  /** The same questions in another language, in the same order; XQuAD only. */
  readonly parallel?: string;
  readonly limit?: number;
  /** All answers count as unseen. */
  readonly untuned: boolean;
}

/** @throws CauceError `invalid_value` when a file is missing, in no known format, or has no labels. */
export async function readAnswers({ data, parallel, limit, untuned }: ReadOptions): Promise<Answers> {
  const text = await readFile(data, "utf8").catch((cause: unknown) => {
    throw new CauceError("invalid_value", `${data} cannot be read`, { cause });
  });
  const dataset = parseDataset(text, data);
  const people = dataset.format === "evouna";
  const rows = people
    ? labelledAnswers(JSON.parse(text) as readonly unknown[])
    : constructedAnswers(
        dataset.questions,
        parallel === undefined ? undefined : (await readDataset(parallel)).questions,
      );
  if (rows.length === 0) throw new CauceError("invalid_value", `${data} holds no labelled answer`);
  const seen = untuned ? rows.map((row) => ({ ...row, half: "unseen" as const })) : rows;
  return { rows: limited(seen, limit), labelled: people ? "people" : "construction" };
}

/** The same ones each time: those whose hash comes first, of the unseen half only. */
function limited(rows: readonly LabelledAnswer[], limit: number | undefined): readonly LabelledAnswer[] {
  if (limit === undefined) return rows;
  const rank = ({ system, title }: LabelledAnswer) => share(`${title}\u001f${system}`);
  return rows
    .filter(({ half }) => half === "unseen")
    .toSorted((left, right) => rank(left) - rank(right))
    .slice(0, limit);
}
