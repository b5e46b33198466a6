/**
 * `bun run bench:budget`: four processes of the pipeline share a provider that allows ten calls a second.
 *
 * In: optionally how many questions, and what is declared of the provider (`--per-minute N`; `--undeclared`). Out: how many of
 * the calls were answered 429, how much of what was allowed was used; exit code 0 when at most 2 % and at least 95 %.
 * Kafka and Postgres are real and its own. Never here: the limit itself.
 */
import { parseArgs } from "node:util";
import { startKafka } from "../../tests/services/kafka.ts";
import { startPostgres } from "../../tests/services/postgres.ts";
import { clearStage, count, sql, startCauce } from "../../tests/system/stage.ts";
import { startBucketProvider, type Tally } from "./provider.ts";

const ALLOWED = { perSecond: 10, burst: 10, latencyMs: 400 };
const WORKERS = 4;
const ASKED_AT_ONCE = 50;
const LONGEST_MS = 200_000;
const LOOK_EVERY_MS = 500;
const MUST = { refusedShare: 0.02, usedShare: 0.95 };

if (import.meta.main) process.exit(await main());

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      questions: { type: "string", default: "900" },
      "per-minute": { type: "string", default: String(ALLOWED.perSecond * 60) },
      undeclared: { type: "boolean", default: false },
    },
  });
  const questions = Number(values.questions);
  const perMinute = values.undeclared ? null : Number(values["per-minute"]);
  if (!Number.isInteger(questions) || questions < 1 || !(perMinute === null || perMinute > 0)) {
    process.stderr.write("usage: bun run bench:budget [--questions 900] [--per-minute 600 | --undeclared]\n");
    return 2;
  }
  const [kafka, postgres] = await Promise.all([startKafka(), startPostgres()]);
  const provider = startBucketProvider(ALLOWED);
  try {
    const database = await postgres.createDatabase("budget");
    const settings = {
      KAFKA_BROKERS: kafka.brokers,
      DATABASE_URL: database,
      DATABASE_POOL_SIZE: "2",
      LLM_BASE_URL: provider.baseUrl,
      LLM_MODEL: "bucket",
      JUDGE: "offline",
      REGEN_THRESHOLD: "0",
      MAX_ATTEMPTS: "1",
      ...(perMinute === null ? {} : { LLM_REQUESTS_PER_MINUTE: String(perMinute) }),
    };
    const HANDLERS = "scheduler,llm.requests,llm.generated,llm.errors,llm.validated,llm.failed";
    const workers = Array.from({ length: WORKERS }, (_, at) =>
      startCauce({ settings: { ...settings, RUN: at === 0 ? `ingress,${HANDLERS}` : HANDLERS } }),
    );
    const [first] = workers;
    if (first === undefined) throw new Error("no worker");
    await Promise.all(workers.map((worker) => worker.up()));
    const door = await first.door();
    await ask(door, questions);
    const giveUpMs = performance.now() + LONGEST_MS;
    while ((await ended(database)) < questions && performance.now() < giveUpMs)
      await Bun.sleep(LOOK_EVERY_MS);
    const [budget = {}] = await sql(
      database,
      "select granted, refusals, pace, per_minute from cauce.budgets",
    );
    const waits = await count(
      database,
      "select count(*) from cauce.schedule_key where handler = 'llm.requests' and app = 'llm'",
    );
    const failed = await count(database, "select count(*) from question where state <> 'done'");
    return report(provider.tally, { questions, perMinute, waits, failed, budget });
  } finally {
    await clearStage();
    await provider.stop();
    await Promise.all([kafka.stop(), postgres.stop()]);
  }
}

function ended(database: string): Promise<number> {
  return count(database, "select count(*) from question where state in ('done', 'failed')");
}

async function ask(door: string, questions: number): Promise<void> {
  let next = 0;
  const asker = async () => {
    while (next < questions) {
      const body = JSON.stringify({
        title: `How many boats, ${next++}?`,
        content: "",
        best_answer: "Forty boats",
      });
      const init = { method: "POST", headers: { "content-type": "application/json" }, body };
      const reply = await fetch(`${door}/query`, init);
      if (reply.status !== 202) throw new Error(`a question was refused: ${reply.status}`);
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, asker));
}

function report(
  tally: Tally,
  run: {
    readonly questions: number;
    readonly perMinute: number | null;
    readonly waits: number;
    readonly failed: number;
    readonly budget: Record<string, unknown>;
  },
): number {
  const calls = tally.answered + tally.refused;
  const seconds = (tally.lastMs - tally.firstMs) / 1_000;
  const refusedShare = tally.refused / calls;
  const usedShare = tally.answered / (seconds * ALLOWED.perSecond + ALLOWED.burst);
  const pass = run.failed === 0 && refusedShare <= MUST.refusedShare && usedShare >= MUST.usedShare;
  const line = {
    name: "model-budget",
    declaredPerMinute: run.perMinute,
    processes: WORKERS,
    questions: run.questions,
    unanswered: run.failed,
    calls,
    refused: tally.refused,
    refusedShare: Number(refusedShare.toFixed(4)),
    seconds: Number(seconds.toFixed(1)),
    usedShare: Number(usedShare.toFixed(4)),
    mostAtOnce: tally.mostAtOnce,
    waitsInSchedule: run.waits,
    paceLowered: Number(run.budget["refusals"]),
    pass,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  return pass ? 0 : 1;
}
