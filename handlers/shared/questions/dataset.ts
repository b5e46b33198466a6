/**
 * Questions from a file that the user names.
 *
 * In: JSON or JSON lines of { title, content, best_answer }, the SQuAD shape (XQuAD), or EVOUNA rows.
 * Out: questions in file order, and how many rows were left out and why. Never here: recorded answers of other models.
 */
import { readFile, stat } from "node:fs/promises";
import { CauceError } from "cauce";

export interface DatasetQuestion {
  readonly title: string;
  readonly content: string;
  readonly best_answer: string;
}

export interface Dataset {
  readonly format: "questions" | "xquad" | "evouna";
  readonly questions: readonly DatasetQuestion[];
  /** Rows left out: EVOUNA's `improper` ones, and questions that have no answer. */
  readonly leftOut: number;
}

/** The largest file that is read, in bytes: it is parsed in one piece. */
export const LARGEST_DATASET_BYTES = 256 * 1024 * 1024;

/**
 * @throws CauceError `invalid_value` naming the file and what was expected, when it is missing, too large, in no format
 * that is known, or empty; a row that does not fit is named by its number.
 */
export async function readDataset(path: string): Promise<Dataset> {
  const size = await stat(path).then(
    (found) => found.size,
    () => {
      throw refuse(path, "there is no such file, or it may not be read");
    },
  );
  if (size > LARGEST_DATASET_BYTES) {
    throw refuse(path, `it has ${size} bytes, more than ${LARGEST_DATASET_BYTES}; split it`);
  }
  return parseDataset(await readFile(path, "utf8"), path);
}

/** As `readDataset`, for text that is already there; `name` is what errors call it. */
export function parseDataset(text: string, name = "the input"): Dataset {
  const data = parseJsonOrLines(text.replace(/^\uFEFF/, ""), name);
  const dataset = isSquad(data) ? fromSquad(data, name) : fromRows(data, name);
  if (dataset.questions.length === 0) throw refuse(name, "it holds no question");
  return dataset;
}

function fromRows(data: unknown, name: string): Dataset {
  const rows = Array.isArray(data) ? (data as readonly unknown[]) : [data];
  const first = rows[0];
  if (isRecord(first) && "question" in first && "golden_answer" in first) return fromEvouna(rows, name);
  if (isRecord(first) && "title" in first) return fromQuestions(rows, name);
  if (rows.length === 0) throw refuse(name, "it holds no question");
  throw refuse(
    name,
    "it is none of the formats that are known: rows of { title, content, best_answer } as a JSON array or JSON lines, " +
      "the SQuAD shape { data: [{ paragraphs: [{ context, qas }] }] }, or EVOUNA rows { question, golden_answer }",
  );
}

function fromQuestions(rows: readonly unknown[], name: string): Dataset {
  const questions = rows.map((row, index) => {
    const record = recordAt(row, index, name);
    return {
      title: textAt(record, "title", index, name),
      content: record["content"] === undefined ? "" : textAt(record, "content", index, name, true),
      best_answer: textAt(record, "best_answer", index, name),
    };
  });
  return { format: "questions", questions, leftOut: 0 };
}

function fromEvouna(rows: readonly unknown[], name: string): Dataset {
  const questions: DatasetQuestion[] = [];
  for (const [index, row] of rows.entries()) {
    const record = recordAt(row, index, name);
    if (record["improper"] === true) continue;
    const alias = textAt(record, "golden_answer", index, name).split("/")[0]?.trim();
    if (!alias) continue;
    questions.push({ title: textAt(record, "question", index, name), content: "", best_answer: alias });
  }
  return { format: "evouna", questions, leftOut: rows.length - questions.length };
}

function fromSquad(data: { readonly data: readonly unknown[] }, name: string): Dataset {
  const questions: DatasetQuestion[] = [];
  let leftOut = 0;
  for (const [index, article] of data.data.entries()) {
    for (const paragraph of listAt(recordAt(article, index, name), "paragraphs", index, name)) {
      const passage = recordAt(paragraph, index, name);
      const content = textAt(passage, "context", index, name).replace(/^\uFEFF/, "");
      for (const entry of listAt(passage, "qas", index, name)) {
        const question = recordAt(entry, index, name);
        const answer = listAt(question, "answers", index, name)[0];
        const best = isRecord(answer) ? answer["text"] : undefined;
        if (typeof best !== "string" || best.trim() === "") leftOut++;
        else questions.push({ title: textAt(question, "question", index, name), content, best_answer: best });
      }
    }
  }
  return { format: "xquad", questions, leftOut };
}

function parseJsonOrLines(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text
      .split(/\r?\n/)
      .map((line, index) => ({ line: line.trim(), number: index + 1 }))
      .filter(({ line }) => line !== "")
      .map(({ line, number }) => parseLine(line, number, name));
  }
}

function parseLine(line: string, number: number, name: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw refuse(name, `it is neither JSON nor JSON lines (line ${number} cannot be parsed)`);
  }
}

function isSquad(data: unknown): data is { readonly data: readonly unknown[] } {
  return isRecord(data) && Array.isArray(data["data"]);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function recordAt(value: unknown, index: number, name: string): Readonly<Record<string, unknown>> {
  if (isRecord(value)) return value;
  throw refuse(name, `entry ${index + 1} should be an object`);
}

function listAt(
  record: Readonly<Record<string, unknown>>,
  field: string,
  index: number,
  name: string,
): readonly unknown[] {
  const value = record[field];
  if (Array.isArray(value)) return value as readonly unknown[];
  throw refuse(name, `entry ${index + 1}: "${field}" should be a list`);
}

function textAt(
  record: Readonly<Record<string, unknown>>,
  field: string,
  index: number,
  name: string,
  mayBeEmpty = false,
): string {
  const value = record[field];
  if (typeof value === "string" && value.isWellFormed() && (mayBeEmpty || value.trim() !== "")) return value;
  throw refuse(name, `entry ${index + 1}: "${field}" should be ${mayBeEmpty ? "a" : "a non-empty"} text`);
}

function refuse(name: string, why: string): CauceError {
  return new CauceError("invalid_value", `questions cannot be read from ${name}: ${why}`);
}
