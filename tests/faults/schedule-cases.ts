/**
 * Schedulers that stand still, clocks that jump, and a table that nobody cleans, on a real Postgres.
 *
 * In: Postgres; one of its own where its clock jumps. Out: cases. Never here: Kafka (storage-cases.ts has both).
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { ensureDebianProgram } from "../services/debian-program.ts";
import { createDatabase, startPostgres } from "../services/postgres.ts";
import { eventually } from "../system/stage.ts";
import { type FaultCase, verdictOf } from "./case.ts";
import { ClockStage } from "./clock-stage.ts";
import type { RunVerdict } from "./run.ts";

const ROWS = 2_000;
/** Short, so that a frozen scheduler's rows come free while one waits; in their order. */
const LIMITS = { publishDeadlineMs: 500, idleInTransactionMs: 1_500 };

/** Four schedulers, one stopped in the middle of its claim for longer than Postgres lets a transaction idle. */
async function frozenAt(freezeAt: "schedule.claimed" | "schedule.acknowledged"): Promise<RunVerdict> {
  return await ClockStage.with(await createDatabase("frozen"), async (stage) => {
    const frozen = await stage.start({ limits: LIMITS, freezeAt });
    await stage.schedule(1, () => 0);
    await stage.said(frozen, "frozen");
    for (let other = 0; other < 3; other++) await stage.start({ limits: LIMITS });
    await stage.schedule(ROWS, (n) => n % 500);
    await eventually(
      "the others fire all of them, the frozen one's row too",
      () => stage.fired.filter(({ by }) => by !== frozen).length > ROWS,
    );
    stage.signal(frozen, "SIGCONT");
    // It still works: what comes now may be its own.
    await stage.schedule(ROWS, (n) => n % 500);
    await stage.through();
    const complaints = stage.complaints({ most: 2 });
    if (!stage.alive(frozen)) complaints.push("the frozen scheduler did not survive");
    // The frozen one had published it, or did so when it went on. One that the machine lets stand still repeats others.
    if (stage.times(0) !== 2)
      complaints.push(`the row that was held was fired ${stage.times(0)} times, not twice`);
    return verdictOf({ successes: 2 * ROWS + 1, repeats: stage.repeats, complaints });
  });
}

/** A library from Debian's faketime that hands out another time, read from a file at every call. */
async function fakeClock() {
  await ensureDebianProgram({ program: "faketime", why: "(for the tests of clocks that jump)" }, say);
  const found = [...new Bun.Glob("usr/lib/*/faketime/libfaketime.so.1").scanSync("/")][0];
  if (found === undefined) throw new Error("faketime is installed without its library");
  const folder = mkdtempSync(join(tmpdir(), "cauce-clock-"));
  chmodSync(folder, 0o755);
  const file = join(folder, "offset");
  const jump = (offset: string) => writeFileSync(file, offset);
  jump("+0");
  return {
    jump,
    env: {
      LD_PRELOAD: join("/", found),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function workersClock(): Promise<RunVerdict> {
  const fake = await fakeClock();
  try {
    return await ClockStage.with(await createDatabase("jump"), async (stage) => {
      await stage.start({}, fake.env);
      await stage.schedule(ROWS, (n) => n * 2);
      for (const offset of ["+1h", "-1h", "+0"]) {
        fake.jump(offset);
        await Bun.sleep(JUMP_EVERY_MS);
      }
      await stage.through();
      return verdictOf({ successes: stage.fired.length, complaints: stage.complaints() });
    });
  } finally {
    fake.remove();
  }
}

const JUMP_EVERY_MS = 1_000;

/** Rows that are due in half an hour fire when the database's clock jumps an hour; none fires when it jumps back. */
async function databasesClock(): Promise<RunVerdict> {
  const fake = await fakeClock();
  const server = await startPostgres({ env: fake.env });
  try {
    return await ClockStage.with(await server.createDatabase("jump"), async (stage) => {
      await stage.start();
      await stage.schedule(ROWS, (n) => 1_800_000 + n);
      fake.jump("-1h");
      await Bun.sleep(JUMP_EVERY_MS);
      const complaints = stage.fired.length === 0 ? [] : ["rows fired while the clock went back"];
      fake.jump("+1h");
      await stage.through();
      return verdictOf({ successes: stage.fired.length, complaints: [...complaints, ...stage.complaints()] });
    });
  } finally {
    await server.stop();
    fake.remove();
  }
}

/** Four readers hold the oldest snapshot while rows come and go, with statistics of an empty table. */
async function heldSnapshots(): Promise<RunVerdict> {
  const url = await createDatabase("bloat");
  return await ClockStage.with(url, async (stage) => {
    const drainMs = async () => {
      await stage.schedule(BLOAT_ROWS, () => AFTER_MS);
      const before = stage.fired.length;
      const by = await stage.start({ batch: 500, bare: true });
      await eventually("the first of them", () => stage.fired.length > before);
      const startMs = performance.now();
      await stage.through();
      const tookMs = performance.now() - startMs;
      stage.signal(by, "SIGKILL");
      return tookMs;
    };
    const cleanMs = Math.min(await drainMs(), await drainMs());
    const readers = postgres(url, { max: 4, onnotice: () => undefined });
    const over = Promise.withResolvers<void>();
    const reading = Array.from({ length: 4 }, () =>
      readers.begin("ISOLATION LEVEL REPEATABLE READ", async (sql) => {
        await sql`SELECT count(*) FROM cauce.scheduled`;
        await over.promise;
      }),
    );
    for (let round = 0; round < 3; round++) await drainMs();
    const bloatedMs = Math.min(await drainMs(), await drainMs());
    over.resolve();
    await Promise.all(reading);
    await readers.end();
    const ratio = cleanMs / bloatedMs;
    const complaints = stage.complaints();
    if (ratio < LEAST_RATIO) complaints.push(`drained at ${ratio.toFixed(2)} of the clean rate`);
    return verdictOf({ successes: stage.fired.length, complaints });
  });
}

/** Time to start one, which then finds all of them due. */
const AFTER_MS = 1_500;
const BLOAT_ROWS = 30_000;
const LEAST_RATIO = 0.7;

export const scheduleCases: readonly FaultCase[] = [
  ...(["schedule.claimed", "schedule.acknowledged"] as const).map((point) => ({
    number: 21,
    title: `4 schedulers, one frozen at ${point} past the idle-in-transaction timeout`,
    expected: "its row is taken over; at most one extra publish, same id and delivery",
    quick: true,
    run: () => frozenAt(point),
  })),
  {
    number: 22,
    title: "a worker's clock jumps an hour forth and two back",
    expected: "nothing early by the database's clock, nothing lost",
    quick: true,
    run: workersClock,
  },
  {
    number: 22,
    title: "the database's clock jumps an hour back, then two forth",
    expected: "due times move with it; each row fires once",
    quick: false,
    run: databasesClock,
  },
  {
    number: 24,
    title: "4 held snapshots while 150,000 rows come and go",
    expected: "drain at least 0.7 of the clean rate",
    quick: false,
    run: heldSnapshots,
  },
];

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
