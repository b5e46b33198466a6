/**
 * What one question costs in the whole pipeline when all goes well: door, four handlers, Postgres, with the offline model in the same
 * process.
 *
 * In: a stage. Out: CPU of the process, transactions and bytes of Postgres, records of Kafka, each for one question.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { Admin, openLibrary } from "../../runtime/kafka/index.ts";
import { freePort } from "../../tests/services/port.ts";
import { withChild } from "../harness/child.ts";
import type { Stage } from "../harness/stage.ts";
import { untilReady } from "../load/ready.ts";

const QUESTIONS = 3_000;
const QUICK_QUESTIONS = 300;
/** Before they count: compilers warm up. */
const WARM = 300;
const AT_ONCE = 32;
const LOOK_EVERY_MS = 100;
/** Of /proc/PID/stat. */
const TICK_US = 10_000;
const TOPICS = ["llm.requests", "llm.generated", "llm.validated", "llm.errors", "llm.failed"];

export interface QuestionCosts {
  readonly questions: number;
  readonly cpuUs: number;
  readonly transactions: number;
  readonly databaseBytes: number;
  readonly records: number;
}

export async function measureQuestion(stage: Stage): Promise<QuestionCosts> {
  const databaseUrl = await stage.newDatabase();
  const stateDir = mkdtempSync(join(tmpdir(), "cauce-scale-"));
  const questions = stage.quick ? QUICK_QUESTIONS : QUESTIONS;
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const root = join(import.meta.dir, "..", "..");
  const child = {
    command: [process.execPath, join(root, "runtime", "bin", "cauce.ts"), "handlers"],
    cwd: root,
    env: {
      KAFKA_BROKERS: stage.brokers,
      DATABASE_URL: databaseUrl,
      CAUCE_LIBRDKAFKA: stage.library,
      CAUCE_SUPERVISE: "off",
      PORT: String(port),
      STATE_DIR: stateDir,
    },
  };
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  const admin = await Admin.open({
    library: openLibrary(stage.library),
    config: { "bootstrap.servers": stage.brokers },
  });
  try {
    return await withChild(child, async ({ pid }) => {
      await untilReady(url);
      const observed = async () => ({
        cpuUs: cpuOf(pid),
        records: await recordsOf(admin),
        ...(await countersOf(sql)),
      });
      await askAll(url, 0, WARM);
      await stored(sql, WARM);
      const before = await observed();
      await askAll(url, WARM, WARM + questions);
      await stored(sql, WARM + questions);
      const after = await observed();
      const each = (of: keyof typeof after) => (after[of] - before[of]) / questions;
      const costs = {
        questions,
        cpuUs: each("cpuUs"),
        transactions: each("transactions"),
        databaseBytes: each("databaseBytes"),
        records: each("records"),
      };
      stage.say(
        `  a question: ${costs.cpuUs.toFixed(0)} µs CPU, ${costs.transactions.toFixed(1)} transactions, ${costs.records.toFixed(1)} records`,
      );
      return costs;
    });
  } finally {
    await sql.end();
    admin.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

async function askAll(url: string, from: number, to: number): Promise<void> {
  let next = from;
  const ask = async () => {
    while (next < to) {
      const n = next++;
      const response = await fetch(`${url}/query`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          title: `How long does crossing ${n} to the island take?`,
          content: `Ferry ${n} leaves at seven. The crossing to the island takes ${n} minutes. Bicycles travel free of charge.`,
          best_answer: `${n} minutes`,
        }),
      });
      if (response.status !== 202)
        throw new Error(`question ${n} was answered ${response.status}: ${await response.text()}`);
      await response.body?.cancel();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
}

/** Until so many results are there. */
async function stored(sql: postgres.Sql, count: number): Promise<void> {
  for (;;) {
    const [row] = await sql<{ count: number }[]>`SELECT count(*)::integer AS count FROM response_event`;
    if ((row?.count ?? 0) >= count) return;
    await Bun.sleep(LOOK_EVERY_MS);
  }
}

async function countersOf(sql: postgres.Sql) {
  const [row] = await sql<{ transactions: number; bytes: number }[]>`
    SELECT xact_commit::float8 AS transactions, pg_database_size(current_database())::float8 AS bytes
    FROM pg_stat_database WHERE datname = current_database()`;
  return { transactions: row?.transactions ?? NaN, databaseBytes: row?.bytes ?? NaN };
}

async function recordsOf(admin: Admin): Promise<number> {
  const topics = await admin.describeTopics(TOPICS);
  const partitions = topics.flatMap(({ name: topic, partitions: count }) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
  const ends = await admin.listOffsets(partitions, "latest");
  return ends.reduce((sum, { offset = 0 }) => sum + offset, 0);
}

function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}
