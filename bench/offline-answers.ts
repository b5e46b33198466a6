/**
 * How good the offline model's extractive answers are.
 *
 * In: `bun bench/offline-answers.ts FILE…` with files of passages (XQuAD). Out: for each file, how often the reference
 * stands in the answer, the F1 of words, the answer's length and what the offline judge accepts; last one JSON line.
 * Never here: HTTP.
 */
import { extract } from "../handlers/shared/model/offline/extract.ts";
import { readDataset, type DatasetQuestion } from "../handlers/shared/questions/dataset.ts";
import { judgeOffline } from "../handlers/shared/judge/offline.ts";
import { passes } from "../handlers/shared/judge/rubric.ts";
import { tokens } from "../handlers/shared/text/tokens.ts";

const paths = process.argv.slice(2);
const contained: number[] = [];
if (paths.length === 0) throw new Error("usage: bun bench/offline-answers.ts FILE…");
for (const path of paths) {
  const { questions } = await readDataset(path);
  const startedMs = performance.now();
  const answers = questions.map(({ title, content }) => extract({ title, content }) ?? "");
  const tookMs = performance.now() - startedMs;
  const mean = (values: readonly number[]) =>
    round(values.reduce((sum, value) => sum + value, 0) / values.length);
  const rows = questions.map((question, index) => ({ ...question, answer: answers[index] ?? "" }));
  const result = {
    contained: mean(
      rows.map(({ best_answer, answer }) => (contains(tokens(answer), tokens(best_answer)) ? 1 : 0)),
    ),
    f1: mean(rows.map(({ best_answer, answer }) => f1(tokens(answer), tokens(best_answer)))),
    words: mean(rows.map(({ answer }) => tokens(answer).length)),
    accepted: mean(rows.map((row) => (acceptedWithin(1, row, row.answer) ? 1 : 0))),
    accepted_within_3: mean(rows.map((row) => (acceptedWithin(3, row, row.answer) ? 1 : 0))),
    ms_per_question: round(tookMs / rows.length),
  };
  contained.push(result.contained);
  process.stdout.write(`${path.split("/").at(-1)} n=${rows.length} ${JSON.stringify(result)}\n`);
}
const lowest = Math.min(...contained);
const line = {
  name: "offline-answers",
  value: lowest,
  low: lowest,
  high: Math.max(...contained),
  unit: "share of references contained",
};
process.stdout.write(
  `${JSON.stringify({ ...line, reference: "XQuAD spans", must: 0.75, aim: 0.85, pass: lowest >= 0.75 })}\n`,
);

/** Is one of the first `attempts` answers good enough, each one told of the one before? */
function acceptedWithin(attempts: number, question: DatasetQuestion, answer: string): boolean {
  if (passes(judgeOffline({ ...question, answer }))) return true;
  if (attempts === 1) return false;
  const { title, content } = question;
  return acceptedWithin(
    attempts - 1,
    question,
    extract({ title, content, previous: answer, feedback: "" }) ?? "",
  );
}

function contains(answer: readonly string[], gold: readonly string[]): boolean {
  return ` ${answer.join(" ")} `.includes(` ${gold.join(" ")} `);
}

function f1(answer: readonly string[], gold: readonly string[]): number {
  const left = new Map<string, number>();
  for (const token of gold) left.set(token, (left.get(token) ?? 0) + 1);
  let shared = 0;
  for (const token of answer) {
    const count = left.get(token) ?? 0;
    if (count > 0) {
      shared++;
      left.set(token, count - 1);
    }
  }
  return shared === 0 ? 0 : (2 * shared) / (answer.length + gold.length);
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
