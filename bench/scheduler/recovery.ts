/**
 * How fast a backlog goes after Postgres was away, over how fast it went before, in one process that lives through it.
 *
 * In: a stage, and a Postgres of its own. Out: the ratio for a crash with its restart, and for killed backends. A row that is left, early,
 * or published more often than the harm explains is a fault.
 */
import postgres from "postgres";
import { startPostgres, type OwnPostgresServer } from "../../tests/services/postgres.ts";
import { measurement, type Measurement } from "../harness/measurement.ts";
import { PARTITIONS, POSTGRES_SETTINGS, type Stage } from "../harness/stage.ts";
import { median } from "../harness/statistics.ts";
import type { Pair } from "../harness/verdict.ts";
import { runDoor } from "./run-door.ts";
import { Table } from "./table.ts";

/** Rows of a batch, which is due all at once. */
const ROWS = 30_000;
const QUICK_ROWS = 20_000;
/** Of them, before a batch's window opens. */
const WARM_SHARE = 0.3;
/** Batches that warm up: code that is compiled anew would look like a recovery. And those on either side of the harm: one differs from the next by a tenth. */
const WARM_BATCHES = 2;
const BATCHES = 12;
const QUICK_BATCHES = 2;
const FEW = 100_000;
const KILLS = 25;
const KILL_EVERY_MS = 200;
/** Rows that two claims may hold when their connections break. */
const MOST_REPEATED = 2_000;

export const recoveries: readonly Measurement[] = [
  recovery("schedule-recovery-crash", "Postgres crashed and was started again", (server) =>
    server.restart("immediate"),
  ),
  recovery("schedule-recovery-kills", "all its backends were killed 5 times a second for 5 s", killBackends),
];

function recovery(
  name: string,
  words: string,
  harm: (server: OwnPostgresServer) => Promise<void>,
): Measurement {
  return measurement(
    {
      name,
      row: "delayed/retry scheduler: recovery",
      reference: `rows/s of the scheduler after ${words} over those before, in one process`,
      unit: "ratio",
      better: "higher",
      must: 0.98,
      aim: 1,
    },
    async (stage) => {
      const topic = await stage.newTopic(PARTITIONS);
      const pairs: Pair[] = [];
      // The limit is two hundredths from what is to be expected, and machines differ by more from one half of a minute to the next.
      for (let pair = 0; pair < 2 * stage.morePairs; pair++)
        pairs.push(await beforeAndAfter(stage, topic, harm));
      return pairs;
    },
  );
}

async function beforeAndAfter(
  stage: Stage,
  topic: string,
  harm: (server: OwnPostgresServer) => Promise<void>,
): Promise<Pair> {
  const server = await startPostgres({ settings: POSTGRES_SETTINGS });
  const table = await Table.open(await server.createDatabase("bench"));
  const [rows, batches] = stage.quick ? [QUICK_ROWS, QUICK_BATCHES] : [ROWS, BATCHES];
  const all = WARM_BATCHES + 2 * batches;
  const run = async (count: number) => {
    for (let batch = 0; batch < count; batch++) {
      // What earlier ones left behind would look like the harm's.
      await table.vacuum();
      const atMs = await table.due(topic, { rows, afterMs: 0, overMs: 0 });
      while ((await table.left(topic, atMs + 1)) > 0) await Bun.sleep(LOOK_EVERY_MS);
    }
  };
  try {
    await table.wait(topic, FEW);
    const marks = Array.from({ length: all }, (_, n) => [(n + WARM_SHARE) * rows, (n + 1) * rows]).flat();
    const work = { url: table.url, topic, rows: all * rows, kind: "runtime", marks } as const;
    const result = await runDoor(stage, work, async () => {
      await run(WARM_BATCHES + batches);
      await harm(server);
      await run(batches);
    });
    const windowsMs = Array.from({ length: all }, (_, n) => {
      const [fromMs = NaN, toMs = NaN] = result.marksMs.slice(2 * n);
      return toMs - fromMs;
    });
    const rate = (from: number) =>
      (rows * (1 - WARM_SHARE)) / (median(windowsMs.slice(from, from + batches)) / 1_000);
    const [before, after] = [rate(WARM_BATCHES), rate(WARM_BATCHES + batches)];
    stage.say(`  rows/s: before ${before.toFixed(0)}, after ${after.toFixed(0)}`);
    const excess = Math.max(0, result.repeated - MOST_REPEATED);
    return { value: after / before, faults: result.early + excess };
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
