/**
 * One process at a time, among processes that know nothing of each other.
 *
 * In: a file that names the work. Out: the work's result, done while no other process holds the same file.
 * The lock is SQLite's own file lock: the kernel drops it when its holder dies, `kill -9` included, so there is
 * no stale lock to clean up. Never here: a lock that is needed for correctness across machines.
 */
import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { describeMs } from "../ground/duration.ts";
import type { Report } from "./step.ts";

export interface LockOptions {
  /** The lock's file; its folder is made. The file stays behind, empty. */
  readonly path: string;
  /** What the other process is doing, for the line that is shown while waiting. */
  readonly title: string;
  readonly report: Report;
}

/** How often a waiting process looks again. */
const LOOK_AGAIN_MS = 25;
/** A short wait is nobody's concern; a longer one is said, and said again. */
const SAY_AFTER_MS = 1_000;
const SAY_SO_MS = 5_000;

/** Runs `work` while holding the lock; waits for it as long as another process holds it. */
export async function holdLock<T>(options: LockOptions, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(options.path), { recursive: true });
  const database = new Database(options.path);
  try {
    database.run("PRAGMA busy_timeout = 0");
    await untilHeld(database, options);
    return await work();
  } finally {
    database.close();
  }
}

async function untilHeld(database: Database, options: LockOptions): Promise<void> {
  const startMs = performance.now();
  let sayAtMs = SAY_AFTER_MS;
  while (!tryToHold(database)) {
    const waitedMs = performance.now() - startMs;
    if (waitedMs >= sayAtMs) {
      options.report(`another process is ${options.title}; waiting for it … ${describeMs(waitedMs)}`);
      sayAtMs += SAY_SO_MS;
    }
    await Bun.sleep(LOOK_AGAIN_MS);
  }
}

function tryToHold(database: Database): boolean {
  try {
    database.run("BEGIN EXCLUSIVE");
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "SQLITE_BUSY") return false;
    throw thrown;
  }
}
