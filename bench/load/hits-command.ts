/**
 * `bun run load:hits -- FOLDER`: which share of questions is answered without a new generation, against the ideal.
 *
 * In: a folder with the data sets, options. Out: 10,000 asks about 5,610 questions by Zipf on a real Kafka, Postgres and Redis
 * and three workers, counted in the database; a table row, and one JSON line for each exponent. What it started ends
 * with it. Never here: faults.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { CommandOptions } from "cauce/run";
import type { DatasetQuestion } from "../../handlers/shared/questions/dataset.ts";
import type { LoadReport } from "../../handlers/shared/loadgen/ledger.ts";
import { runLoad } from "../../handlers/shared/loadgen/loadgen.ts";
import { planAsks } from "../../handlers/shared/loadgen/plan.ts";
import { idealHitShare } from "../../handlers/shared/loadgen/popularity.ts";
import { exitCodeOf } from "../../handlers/shared/loadgen/table.ts";
import { FILES } from "../demo-real/questions.ts";
import { startStack } from "../demo-real/stack.ts";
import { readGenerations, type Generations } from "./generations.ts";
import { differentQuestions } from "./questions.ts";
import { onInterrupt, untilReady } from "./ready.ts";

const USAGE = `usage: bun run load:hits -- FOLDER [--zipf 0.7,0.99,1.2] [--count 10000] [--questions 5610] [--rate 150]

FOLDER holds ${FILES.join(", ")}.
`;
const LEAST_OF_IDEAL = 0.98;
/** So that asks about a question that is on its way happen, in ms. */
const MODEL_TAKES_MS = "200";
const PROGRESS_EVERY_MS = 10_000;

interface Wanted {
  readonly folder: string;
  readonly exponents: readonly number[];
  readonly count: number;
  readonly questions: number;
  readonly rate: number;
}

export default async function loadHits(options: CommandOptions): Promise<number> {
  const { write, fail } = options.console;
  const wanted = readArguments(options.arguments);
  if (wanted === null) {
    fail(USAGE);
    return 2;
  }
  const interrupt = onInterrupt();
  const questions = await differentQuestions(wanted.folder, wanted.questions);
  let code = 0;
  for (const exponent of wanted.exponents) {
    const { report, generations } = await measure(options, { wanted, questions, exponent, interrupt });
    if (interrupt.aborted) return 130;
    const line = lineOf(wanted, exponent, report, generations);
    write(`${JSON.stringify(line)}\n`);
    if (!line.pass) code = 1;
  }
  return code;
}

/** On services of its own: nothing of one exponent is left for the next. */
async function measure(
  { projectDir, console: { write } }: CommandOptions,
  of: {
    readonly wanted: Wanted;
    readonly questions: readonly DatasetQuestion[];
    readonly exponent: number;
    readonly interrupt: AbortSignal;
  },
) {
  const { wanted, questions, exponent, interrupt } = of;
  const stack = await startStack({
    projectDir,
    answers: join(wanted.folder, "evouna-nq.json"),
    say: (line) => write(`${line}\n`),
    environment: { OFFLINE_FAULTS: "", OFFLINE_LATENCY_MS: MODEL_TAKES_MS, MODEL_TIMEOUT_MS: "5000" },
  });
  try {
    await untilReady(stack.url, interrupt);
    const report = await runLoad({
      questions,
      baseUrl: stack.url,
      arrivals: { kind: "poisson", ratePerSecond: wanted.rate },
      popularity: { kind: "zipf", exponent },
      count: wanted.count,
      progressEveryMs: PROGRESS_EVERY_MS,
      onProgress: (line) => write(`${line}\n`),
      signal: interrupt,
    });
    return { report, generations: await readGenerations(stack.databaseUrl) };
  } finally {
    await stack.stop();
  }
}

function lineOf(wanted: Wanted, exponent: number, report: LoadReport, generations: Generations) {
  const { count, questions } = wanted;
  const ideal = idealHitShare({ questions, count, exponent });
  const asks = planAsks({
    questions,
    count,
    arrivals: { kind: "even", ratePerSecond: 1 },
    popularity: { kind: "zipf", exponent },
    seed: 1,
  });
  const drawn = 1 - new Set(asks.map(({ question }) => question)).size / count;
  const value = 1 - generations.rounds / count;
  return {
    name: `load-hits-${exponent}`,
    value: thousandths(value),
    unit: "share of asks without a new generation",
    reference: `the ideal, ${thousandths(ideal)} expected and ${thousandths(drawn)} for these asks`,
    of_ideal: thousandths(value / ideal),
    of_drawn: thousandths(value / drawn),
    must: LEAST_OF_IDEAL,
    pass: value >= LEAST_OF_IDEAL * Math.max(ideal, drawn) && exitCodeOf(report) === 0,
    hits: report.hits,
    joined: report.joined,
    reasons: report.reasons,
    ...generations,
    p50_ms: report.latencyMs?.p50,
    p99_ms: report.latencyMs?.p99,
  };
}

function readArguments(given: readonly string[]): Wanted | null {
  const { values, positionals } = parseArgs({
    args: given.filter((argument) => argument !== "--"),
    allowPositionals: true,
    options: {
      zipf: { type: "string", default: "0.7,0.99,1.2" },
      count: { type: "string", default: "10000" },
      questions: { type: "string", default: "5610" },
      rate: { type: "string", default: "150" },
    },
  });
  const [folder, ...more] = positionals;
  const exponents = values.zipf.split(",").map(Number);
  const [count, questions, rate] = [values.count, values.questions, values.rate].map(Number);
  const whole = (value: number | undefined): value is number =>
    Number.isSafeInteger(value) && Number(value) >= 1;
  if (folder === undefined || more.length > 0 || !whole(count) || !whole(questions)) return null;
  if (rate === undefined || !(rate > 0) || exponents.some((exponent) => !(exponent >= 0))) return null;
  return { folder, exponents, count, questions, rate };
}

function thousandths(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
