/**
 * How fast a backlog goes after Postgres was away, over how fast it went before, in one process that lives through it.
 *
 * In: a stage, and a Postgres of its own. Out: the ratio for a crash with its restart, and for killed backends. A row that is left, early,
 * or published more often than the harm explains is a fault.
 */
import postgres from "postgres";
import { startPostgres, type OwnPostgresServer } from "../../tests/services/postgres.ts";
import type { Benchmark, Measurement } from "../harness/measurement.ts";
import { PARTITIONS, POSTGRES_SETTINGS, type Stage } from "../harness/stage.ts";
import type { Pair } from "../harness/verdict.ts";
import { runDoor } from "./run-door.ts";
import { Table } from "./table.ts";

const ROWS = 50_000;
const QUICK_ROWS = 20_000;
const FEW = 100_000;
const AFTER_MS = 4_000;
const KILLS = 25;
const KILL_EVERY_MS = 200;
/** Rows that two claims may hold when their connections break. */
const MOST_REPEATED = 2_000;

const HARMS = {
  "schedule-recovery-crash": (server: OwnPostgresServer) => server.restart("immediate"),
  "schedule-recovery-kills": killBackends,
} as const;

export const recovery: Measurement = {
  benchmarks: [
    benchmark("schedule-recovery-crash", "Postgres crashed and was started again"),
    benchmark("schedule-recovery-kills", "all its backends were killed 5 times a second for 5 s"),
  ],
  async measure(stage) {
    const topic = await stage.newTopic(PARTITIONS);
    const pairs = new Map<string, Pair[]>();
    for (const [name, harm] of Object.entries(HARMS)) {
      const own: Pair[] = [];
      for (let pair = 0; pair < stage.pairs; pair++) own.push(await beforeAndAfter(stage, topic, harm));
      pairs.set(name, own);
    }
    return pairs;
  },
};

async function beforeAndAfter(
  stage: Stage,
  topic: string,
  harm: (server: OwnPostgresServer) => Promise<void>,
): Promise<Pair> {
  const server = await startPostgres({ settings: POSTGRES_SETTINGS });
  const table = await Table.open(await server.createDatabase("bench"));
  const rows = stage.quick ? QUICK_ROWS : ROWS;
  const dueMs: number[] = [];
  const batch = async () => {
    const atMs = await table.due(topic, { rows, afterMs: AFTER_MS, overMs: 0 });
    dueMs.push(atMs);
    while ((await table.left(topic, atMs + 1)) > 0) await Bun.sleep(LOOK_EVERY_MS);
  };
  try {
    await table.wait(topic, FEW);
    // The first warms up: code that is compiled anew would look like a recovery.
    const marks = [rows, 2 * rows, 3 * rows];
    const work = { url: table.url, topic, rows: 3 * rows, kind: "runtime", marks } as const;
    const result = await runDoor(stage, work, async () => {
      await batch();
      await batch();
      await harm(server);
      await batch();
    });
    const rate = (nth: number) => rows / (((result.marksMs[nth] ?? NaN) - (dueMs[nth] ?? NaN)) / 1_000);
    stage.say(`  rows/s: before ${rate(1).toFixed(0)}, after ${rate(2).toFixed(0)}`);
    const excess = Math.max(0, result.repeated - MOST_REPEATED);
    return { value: rate(2) / rate(1), faults: result.early + excess };
  } finally {
    await table.close();
    await server.stop();
  }
}

const LOOK_EVERY_MS = 50;

async function killBackends({ adminUrl }: OwnPostgresServer): Promise<void> {
  const admin = postgres(adminUrl, { max: 1, onnotice: () => undefined });
  for (let kill = 0; kill < KILLS; kill++) {
    await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'cauce %'`;
    await Bun.sleep(KILL_EVERY_MS);
  }
  await admin.end();
}

function benchmark(name: keyof typeof HARMS, harm: string): Benchmark {
  return {
    name,
    row: "delayed/retry scheduler: recovery",
    reference: `rows/s of the scheduler after ${harm} over those before, in one process`,
    unit: "ratio",
    better: "higher",
    must: 0.98,
    aim: 1,
  };
}
