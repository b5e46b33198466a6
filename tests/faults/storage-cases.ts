/**
 * Postgres restarted, crashed, unreachable, its backends killed, its disk full, under the whole pipeline's load.
 *
 * In: a broker; each case has a Postgres of its own. Out: cases. Never here: what counts as right (`run.ts`).
 */
import { statfsSync, writeFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { freePort } from "../services/port.ts";
import { type OwnPostgresServer, type PostgresOptions, startPostgres } from "../services/postgres.ts";
import { sql } from "../system/stage.ts";
import type { FaultCase, Services } from "./case.ts";
import { underLoad } from "./kill-cases.ts";
import { TcpProxy } from "./proxy.ts";
import type { FaultRun, RunVerdict } from "./run.ts";

const LEAST_MESSAGES = 1_000;

interface Storage {
  readonly server: OwnPostgresServer;
  /** Between the workers and the server; the auditor goes straight. */
  readonly proxy: TcpProxy;
  readonly run: FaultRun;
}

/** While the workers cannot tell whether a row was written, it is written again: the same key, so one row. */
async function withStorage(
  { brokers }: Services,
  harm: (storage: Storage) => Promise<string[] | void>,
  options: PostgresOptions = {},
): Promise<RunVerdict> {
  const server = await startPostgres(options);
  const proxy = await TcpProxy.listen({ port: freePort(), target: server.port });
  const databaseUrl = await server.createDatabase("storage");
  const workerUrl = new URL(databaseUrl);
  workerUrl.port = String(proxy.port);
  const given = {
    brokers,
    databaseUrl,
    workerDatabaseUrl: workerUrl.href,
    mayRepeat: "when in doubt",
  } as const;
  try {
    const verdict = await underLoad(given, LEAST_MESSAGES, async (run) => {
      const before = run.fleet.living.length;
      const complaints = [...((await harm({ server, proxy, run })) ?? [])];
      if (run.fleet.living.length < before) complaints.push("a worker did not survive");
      return complaints;
    });
    const spent = await attemptsSpent(databaseUrl);
    if (spent <= 1) return verdict;
    const complaints = `${verdict.complaints}; a message that died at its first attempt was counted ${spent}`;
    return { ...verdict, passed: false, complaints };
  } finally {
    await proxy.close();
    await server.stop();
  }
}

/** The most attempts of a dead letter. Each of them gives up at its first. */
async function attemptsSpent(databaseUrl: string): Promise<number> {
  const [row] = await sql(databaseUrl, "select max(attempts) as attempts from cauce.dead_letters");
  return Number(row?.["attempts"]);
}

async function restarts({ server }: Storage): Promise<void> {
  for (const mode of ["fast", "immediate", "fast", "immediate"] as const) {
    await Bun.sleep(CALM_MS);
    await server.restart(mode);
  }
  await Bun.sleep(CALM_MS);
}

const CALM_MS = 1_500;

/** All of the workers' backends, five times a second. */
async function killedBackends({ server }: Storage): Promise<void> {
  const admin = postgres(server.adminUrl, { max: 1, onnotice: () => undefined });
  for (let kill = 0; kill < KILLS; kill++) {
    await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'cauce %'`;
    await Bun.sleep(KILL_EVERY_MS);
  }
  await admin.end();
}

const KILLS = 50;
const KILL_EVERY_MS = 200;

async function blackHole({ proxy, run }: Storage, heldMs: number): Promise<string[]> {
  proxy.change({ held: "both" });
  const before = run.through;
  await Bun.sleep(heldMs);
  const during = run.through - before;
  proxy.change({});
  return during > 0 ? [] : ["nothing went on while Postgres was a black hole"];
}

/** Takes all that is left of the disk, and gives it back. */
async function fullDisk({ server, run }: Storage, data: string): Promise<string[]> {
  const ballast = join(data, "ballast");
  await Bun.sleep(CALM_MS);
  const { bavail, bsize } = statfsSync(data);
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize)));
  const admin = postgres(server.adminUrl, { max: 1, onnotice: () => undefined });
  // Something that grows meets the end.
  const refused =
    await admin`CREATE TABLE big AS SELECT repeat('x', 1000) FROM generate_series(1, 10000)`.then(
      () => "",
      (error: unknown) => String(error),
    );
  await admin.end({ timeout: 1 });
  const before = run.through;
  await Bun.sleep(FULL_MS);
  const during = run.through - before;
  rmSync(ballast);
  // Where its log could not grow it has ended, as Postgres does; somebody starts it again.
  await server.restart("immediate");
  return [
    refused === "" ? "the disk was not full" : "",
    during > 0 ? "" : "nothing went on while the disk was full",
  ].filter((complaint) => complaint !== "");
}

const FULL_MS = 8_000;
const DISK_MB = 160;

async function onFullDisk(services: Services): Promise<RunVerdict> {
  if (process.getuid?.() !== 0 || Bun.which("mount") === null) return SKIPPED_DISK;
  let disk = "";
  return await withStorage(services, (storage) => fullDisk(storage, disk), {
    settings: "min_wal_size = 32MB\nmax_wal_size = 48MB",
    prepareData(data) {
      mount("mount", "-t", "tmpfs", "-o", `size=${DISK_MB}m`, "tmpfs", data);
      disk = data;
    },
    releaseData: (data) => mount("umount", "-l", data),
  }).catch((error: unknown): RunVerdict => {
    if (disk !== "") throw error;
    return { ...SKIPPED_DISK, skipped: `no disk of fixed size can be mounted here: ${String(error)}` };
  });
}

const SKIPPED_DISK: RunVerdict = {
  passed: true,
  successes: 0,
  repeats: 0,
  complaints: "",
  skipped: "a disk of fixed size needs root and mount",
};

function mount(...command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(stderr.toString());
}

export const storageCases: readonly FaultCase[] = [
  {
    number: 17,
    title: "Postgres is restarted and crashes, twice each",
    expected: "workers survive; nothing lost; no attempt spent",
    quick: false,
    run: (services) => withStorage(services, restarts),
  },
  {
    number: 17,
    title: "all backends are killed, 5 times a second for 10 s",
    expected: "workers survive; nothing lost; no attempt spent",
    quick: false,
    run: (services) => withStorage(services, killedBackends),
  },
  {
    number: 18,
    title: "Postgres is a black hole for 2 minutes",
    expected: "what needs no row goes on; then all of it; nothing lost",
    quick: false,
    run: (services) => withStorage(services, (storage) => blackHole(storage, 120_000)),
  },
  {
    number: 23,
    title: "Postgres's disk is full for 8 s",
    expected: "what needs no row goes on; recovers when there is room; nothing lost",
    quick: false,
    run: onFullDisk,
  },
];
