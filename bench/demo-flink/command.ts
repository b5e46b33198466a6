/**
 * `bun run demo:flink`: 1,000 questions through the whole pipeline with Flink in the middle, and its TaskManager killed.
 *
 * In: options; `--data FOLDER` has the data sets of demo:real. Out: progress, the load table, the gap, the reconciliation, an exit
 * code: 0 when the books balance, 1 when a single question is missing or twice, 2 for bad arguments. What it started ends with it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { pause, systemClock } from "cauce";
import type { CommandOptions } from "cauce/run";
import postgres from "postgres";
import { runLoad } from "../../handlers/shared/loadgen/loadgen.ts";
import { exitCodeOf, tableOf } from "../../handlers/shared/loadgen/table.ts";
import { generated } from "../../schema/topics.ts";
import { onInterrupt } from "../load/ready.ts";
import { chooseQuestions } from "../demo-real/questions.ts";
import { describe, readBooks, reconcile } from "../demo-real/reconcile.ts";
import { gapAround } from "./gap.ts";
import { generatedQuestions } from "./questions.ts";
import { startFlinkStack, type FlinkStack } from "./stack.ts";
import { auditTopics, type TopicsAudit } from "./topics-audit.ts";

const USAGE = `usage: bun run demo:flink -- [--data FOLDER] [--count 1000] [--rate 25] [--logs FOLDER]

FOLDER holds the data sets of demo:real; without it questions are generated. --logs keeps what every part wrote.
`;
const STALL_MS = 120_000;
const PROGRESS_EVERY_MS = 5_000;
const LOOK_EVERY_MS = 200;
/** The TaskManager is killed at this share of the asking and missing for so long. */
const KILL_AT = 0.4;
const MISSING_MS = 2_000;
/** What was committed before the kill may still be on its way to its row. */
const SETTLE_MS = 2_000;
const GARBAGE = ["{", "not JSON", '{"id": 7}', '{"id": "x", "title": "?"}', "\u0000"];
/** Waits of a demonstration, in ms: a question meets all that can happen, only sooner. */
const WAITS = { MODEL_TIMEOUT_MS: "800", RETRY_RATE_LIMIT_BASE_MS: "500", RETRY_FAILURE_BASE_MS: "300" };

export default async function demoFlink(options: CommandOptions): Promise<number> {
  const { write } = options.console;
  const startMs = systemClock.monotonicMs();
  const say = (line: string) => {
    const at = ((systemClock.monotonicMs() - startMs) / 1_000).toFixed(1).padStart(6);
    write(`${at} s  ${line}\n`);
  };
  const wanted = readArguments(options.arguments);
  if (wanted === null) {
    options.console.fail(USAGE);
    return 2;
  }
  const interrupt = onInterrupt();
  const { count, rate, data } = wanted;
  const questions = data === undefined ? generatedQuestions(count) : await chooseQuestions(data, count);
  say(`${questions.length} different questions, ${data === undefined ? "generated" : `of ${data}`}`);
  const answers = data === undefined ? {} : { OFFLINE_ANSWERS: join(data, "evouna-nq.json") };
  const settings = { OFFLINE_FAULTS: "rate_limit=0.1,timeout=0.02", ...WAITS, ...answers };
  const stack = await startFlinkStack({ projectDir: options.projectDir, settings, say });
  try {
    await untilScoring(stack, interrupt);
    say(`the job has completed its first checkpoint; asking at ${rate}/s`);
    const load = runLoad({
      questions,
      baseUrl: stack.url,
      arrivals: { kind: "even", ratePerSecond: rate },
      stallMs: STALL_MS,
      onProgress: (line) => say(line.trimStart()),
      progressEveryMs: PROGRESS_EVERY_MS,
      signal: interrupt,
    });
    const killing = killTaskManager(stack, {
      atMs: (count / rate) * 1_000 * KILL_AT,
      say,
      signal: interrupt,
    });
    const [report, killedMs] = await Promise.all([load, killing]);
    if (interrupt.aborted) return 130;
    write(`\nAs the load generator saw it\n${tableOf(report)}`);
    const gap = gapAround(await storedAtMs(stack.databaseUrl), killedMs, SETTLE_MS);
    write(
      `\nThe gap\n  TaskManager killed with kill -9, started again ${MISSING_MS / 1_000} s later.\n` +
        `  No new answer for ${seconds(gap.lengthMs)}; the first one ${seconds(gap.untilFirstMs)} after the kill.\n`,
    );
    const asked = questions.map(({ id }) => id);
    const books = await readBooks(stack.databaseUrl);
    const result = reconcile(asked, books);
    write(describe(result, books));
    const audit = await auditTopics(stack.bus, asked);
    write(describeAudit(audit));
    const exact =
      audit.twice.length === 0 && audit.missing.length === 0 && audit.letters.length === GARBAGE.length;
    return result.balances && exact && exitCodeOf(report) === 0 ? 0 : 1;
  } finally {
    say("ending everything that was started");
    if (wanted.logs !== undefined) keepLogs(stack, wanted.logs);
    await stack.stop();
  }
}

/** Sends what nobody can read, kills the TaskManager, starts it again. @returns when it was killed, in ms since 1970. */
async function killTaskManager(
  { flink, bus }: FlinkStack,
  {
    atMs,
    say,
    signal,
  }: { readonly atMs: number; readonly say: (line: string) => void; readonly signal: AbortSignal },
): Promise<number> {
  await pause(systemClock, atMs / 2, signal);
  const value = (text: string) => new TextEncoder().encode(text);
  await bus.publish(
    GARBAGE.map((text) => ({ topic: generated.name, key: null, value: value(text), headers: [] })),
  );
  say(`! ${GARBAGE.length} messages that nobody can read were put onto ${generated.name}`);
  await pause(systemClock, atMs / 2, signal);
  if (signal.aborted) return 0;
  const { jobManager, taskManager } = flink.memoryMb();
  say(`JobManager ${jobManager} MB, TaskManager with its Python ${taskManager} MB`);
  const killedMs = Date.now();
  await flink.killTaskManager();
  say("! the TaskManager was killed with kill -9");
  await pause(systemClock, MISSING_MS, signal);
  await flink.startTaskManager();
  say("! a TaskManager is there again");
  return killedMs;
}

/** The job runs and has completed a checkpoint: from here on a failure goes back to one. */
async function untilScoring({ flink, job }: FlinkStack, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if ((await flink.job(job)).checkpoints > 0) return;
    await pause(systemClock, LOOK_EVERY_MS, signal);
  }
}

/** When each answer became visible, by the database's clock, in ms since 1970. */
async function storedAtMs(databaseUrl: string): Promise<readonly number[]> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const rows = await sql<{ at: Date }[]>`select created_at as at from response_event`;
    return rows.map(({ at }) => at.getTime());
  } finally {
    await sql.end();
  }
}

function describeAudit({ ended, twice, missing, letters }: TopicsAudit): string {
  const line = (name: string, count: number) => `  ${name.padEnd(34)} ${String(count).padStart(6)}\n`;
  return [
    "\nOn the topics, as a reader of committed records sees them\n",
    line("questions with an end", ended),
    line("with two ends", twice.length),
    line("without one", missing.length),
    line("dead letters of the job", letters.length),
    ...letters.map((reason) => `    ${reason.slice(0, 100)}\n`),
  ].join("");
}

function seconds(ms: number | null): string {
  return ms === null ? "ever" : `${(ms / 1_000).toFixed(1)} s`;
}

function readArguments(given: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: given.filter((argument) => argument !== "--"),
    allowPositionals: true,
    options: {
      data: { type: "string" },
      count: { type: "string", default: "1000" },
      rate: { type: "string", default: "25" },
      logs: { type: "string" },
    },
  });
  const count = Number(values.count);
  const rate = Number(values.rate);
  if (positionals.length > 0 || !Number.isInteger(count) || count < 1 || !(rate > 0)) return null;
  return {
    data: values.data === undefined ? undefined : resolve(values.data),
    count,
    rate,
    logs: values.logs,
  };
}

function keepLogs({ workers, flink }: FlinkStack, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const worker of workers)
    writeFileSync(join(folder, `${worker.name.replaceAll(" ", "-")}.log`), worker.output());
  writeFileSync(join(folder, "flink.log"), flink.output());
}
