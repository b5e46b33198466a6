/**
 * `bun run judge:attempts --data FILE [--pictures FOLDER]`: does regeneration help?
 *
 * In: an EVOUNA file; its recorded systems are the attempts, in the file's order, and the offline judge judges the half that
 * tuning never saw. Out: a table in Markdown, two pictures, one JSON line. Never here: the rules (attempts.ts).
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CauceError } from "cauce";
import type { CommandOptions } from "cauce/run";
import { offlineJudge } from "../../handlers/shared/judge/offline.ts";
import { deliveredRight, outcomesOf, type Attempt, type Outcomes, type Rule } from "./attempts.ts";
import { endsPicture, mistakesPicture, tableOf } from "./attempts-report.ts";
import { labelledAnswers, type LabelledAnswer } from "./labelled.ts";

const USAGE = `usage: bun run judge:attempts --data FILE [--pictures FOLDER]

FILE is an EVOUNA file. --pictures writes judge-attempts.svg and judge-mistakes.svg into FOLDER.
`;
const RULES: readonly Rule[] = [true, false].flatMap((gate) =>
  [5, 6, 7, 8].map((threshold) => ({ threshold, gate })),
);
/** The rule of the pipeline when nothing is set. */
const DEFAULT_RULE = RULES[1] ?? { threshold: 6, gate: true };

export default async function judgeAttempts(options: CommandOptions): Promise<number> {
  const { write, fail } = options.console;
  try {
    const { data, pictures } = readArguments(options.arguments);
    const rows = JSON.parse(await readFile(data, "utf8")) as unknown;
    if (!Array.isArray(rows)) throw new CauceError("invalid_value", `${data} is no EVOUNA file`);
    const answers = labelledAnswers(rows).filter(({ half }) => half === "unseen");
    const systems = [...new Set(answers.map(({ system }) => system))];
    const questions = await judged(answers, systems.length);
    if (questions.length === 0) throw new CauceError("invalid_value", `${data} has no labelled answers`);
    const results = RULES.map((rule) => ({ rule, outcomes: outcomesOf(questions, rule) }));
    const any = questions.filter((attempts) => attempts.some(({ right }) => right)).length;
    write(
      `${questions.length} questions, attempts: ${systems.join(", ")}; ${any} have a right answer among them\n\n` +
        `${tableOf(results)}\n`,
    );
    if (pictures !== undefined) {
      await writeFile(join(pictures, "judge-attempts.svg"), endsPicture(results));
      await writeFile(join(pictures, "judge-mistakes.svg"), mistakesPicture(results));
    }
    const line = lineOf(questions);
    write(`${JSON.stringify(line)}\n`);
    return line.pass ? 0 : 1;
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown;
    fail(`${thrown.message}\n\n${USAGE}`);
    return 2;
  }
}

/** Only questions that every system has answered. */
async function judged(
  answers: readonly LabelledAnswer[],
  systems: number,
): Promise<readonly (readonly Attempt[])[]> {
  const judge = offlineJudge();
  const never = new AbortController().signal;
  const questions = [...Map.groupBy(answers, ({ title }) => title).values()];
  return Promise.all(
    questions
      .filter((list) => list.length === systems)
      .map((list) =>
        Promise.all(
          list.map(async ({ title, reference, answer, right }): Promise<Attempt> => {
            const { score, gate_passed } = await judge.score(
              { title, content: "", best_answer: reference, answer },
              never,
            );
            return { right, score, gate_passed };
          }),
        ),
      ),
  );
}

/**
 * Right answers delivered beyond the first attempt's, as a share of all questions, over every order of the systems: the
 * mean, and the least and the most that any order gives.
 */
function lineOf(questions: readonly (readonly Attempt[])[]) {
  const gains = ordersOf(questions[0]?.length ?? 0).map((order) => {
    const ordered = questions.map((attempts) => order.flatMap((index) => attempts[index] ?? []));
    return gainOf(outcomesOf(ordered, DEFAULT_RULE));
  });
  const low = Math.min(...gains);
  return {
    name: "judge-attempts",
    value: thousandths(gains.reduce((sum, gain) => sum + gain, 0) / gains.length),
    low: thousandths(low),
    high: thousandths(Math.max(...gains)),
    unit: "share of questions",
    reference: `right answers of the first attempt alone, over ${gains.length} orders of the attempts`,
    must: 0,
    pass: low > 0,
  };
}

function gainOf(outcomes: Outcomes): number {
  return (deliveredRight(outcomes) - outcomes.firstRight) / outcomes.questions;
}

function ordersOf(count: number): readonly (readonly number[])[] {
  if (count === 0) return [[]];
  return ordersOf(count - 1).flatMap((order) =>
    Array.from({ length: count }, (_, place) => order.toSpliced(place, 0, count - 1)),
  );
}

function readArguments(given: readonly string[]) {
  const { values } = parseArgs({
    args: given.filter((argument) => argument !== "--"),
    options: { data: { type: "string" }, pictures: { type: "string" } },
  });
  if (values.data === undefined) throw new CauceError("config_invalid", "judge:attempts needs --data FILE");
  return { data: values.data, pictures: values.pictures };
}

function thousandths(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
