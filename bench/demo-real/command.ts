/**
 * `bun run demo:real -- FOLDER`: 2,000 real questions through a real Kafka, Postgres and Redis while things go wrong.
 *
 * In: a folder with the data sets (questions.ts), options. Out: progress, the load table, the reconciliation, an exit
 * code: 0 when the books balance, 1 when a single question is missing or twice, 2 for bad arguments. What it started
 * ends with it. Never here: the parts themselves.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "cauce";
import type { CommandOptions } from "cauce/run";
import { runLoad } from "../../handlers/shared/loadgen/loadgen.ts";
import { exitCodeOf, tableOf } from "../../handlers/shared/loadgen/table.ts";
import { onInterrupt, untilReady } from "../load/ready.ts";
import { makeFaults } from "./faults.ts";
import { chooseQuestions, FILES } from "./questions.ts";
import { describe, readBooks, reconcile } from "./reconcile.ts";
import { startStack, type Stack } from "./stack.ts";

const USAGE = `usage: bun run demo:real -- FOLDER [--count 2000] [--rate 50] [--logs FOLDER]

FOLDER holds ${FILES.join(", ")}. --logs keeps what the workers wrote.
`;
const STALL_MS = 120_000;
const PROGRESS_EVERY_MS = 5_000;
const FAULTS_WANTED = 2;

export default async function demoReal(options: CommandOptions): Promise<number> {
  const { write } = options.console;
  const startMs = systemClock.monotonicMs();
  const say = (line: string) => {
    const seconds = ((systemClock.monotonicMs() - startMs) / 1_000).toFixed(1).padStart(6);
    write(`${seconds} s  ${line}\n`);
  };
  const wanted = readArguments(options.arguments);
  if (wanted === null) {
    options.console.fail(USAGE);
    return 2;
  }
  const interrupt = onInterrupt();
  const questions = await chooseQuestions(wanted.folder, wanted.count);
  say(`${questions.length} different questions of ${wanted.folder}`);
  const stack = await startStack({
    projectDir: options.projectDir,
    answers: join(wanted.folder, "evouna-nq.json"),
    say,
  });
  try {
    await untilReady(stack.url, interrupt);
    say(`asking at ${wanted.rate}/s; 20 % of the model's answers are 429, 5 % time out, 2 % are garbage`);
    const faults = makeFaults({
      stack,
      lengthMs: (questions.length / wanted.rate) * 1_000,
      say,
      signal: interrupt,
    });
    const load = runLoad({
      questions,
      baseUrl: stack.url,
      arrivals: { kind: "even", ratePerSecond: wanted.rate },
      stallMs: STALL_MS,
      onProgress: (line) => say(line.trimStart()),
      progressEveryMs: PROGRESS_EVERY_MS,
      signal: interrupt,
    });
    const [report, faultsMade] = await Promise.all([load, faults]);
    if (interrupt.aborted) return 130;
    write(`\nAs the load generator saw it\n${tableOf(report)}`);
    const books = await readBooks(stack.databaseUrl);
    const asked = questions.map(({ id }) => id);
    const result = reconcile(asked, books);
    write(describe(result, books));
    const good = result.balances && exitCodeOf(report) === 0 && faultsMade === FAULTS_WANTED;
    return good ? 0 : 1;
  } finally {
    say("ending everything that was started");
    if (wanted.logs !== undefined) keepLogs(stack, wanted.logs);
    await stack.stop();
  }
}

function readArguments(given: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: given.filter((argument) => argument !== "--"),
    allowPositionals: true,
    options: {
      count: { type: "string", default: "2000" },
      rate: { type: "string", default: "50" },
      logs: { type: "string" },
    },
  });
  const [folder, ...more] = positionals;
  const count = Number(values.count);
  const rate = Number(values.rate);
  if (folder === undefined || more.length > 0 || !Number.isInteger(count) || count < 1 || !(rate > 0))
    return null;
  return { folder: resolve(folder), count, rate, logs: values.logs };
}

/** As JSON lines, one file a worker. */
function keepLogs({ workers }: Stack, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const worker of workers)
    writeFileSync(join(folder, `${worker.name.replaceAll(" ", "-")}.log`), worker.output());
}
