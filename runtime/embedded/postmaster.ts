/**
 * The running server of one data directory: is there one, does it answer, end it.
 *
 * In: a data directory. Out: its pid and port, read from `postmaster.pid` and believed only when the process with
 * that pid is a postgres started on this very directory and something that speaks Postgres answers at the port.
 * Never here: starting one.
 */
import { chownSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pause, systemClock } from "../ground/clock.ts";
import { describeMs } from "../ground/duration.ts";
import type { Report } from "../provision/step.ts";
import { endProcess, isProcess } from "./identity.ts";
import { writeWhole } from "./state.ts";

export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  /** False while it starts, recovers from a crash, or shuts down. */
  readonly ready: boolean;
}

/** The eight bytes of Postgres's SSLRequest: length 8, code 80877103. The server answers one byte, S or N. */
const SSL_REQUEST = new Uint8Array([0, 0, 0, 8, 4, 210, 22, 47]);
const PROBE_LIMIT_MS = 2_000;
const LOOK_MS = 10;
const SAY_SO_MS = 5_000;
/** A fast shutdown writes a checkpoint; a slow disk may need long. */
const FAST_SHUTDOWN_MS = 30_000;
const IMMEDIATE_SHUTDOWN_MS = 10_000;

/** The arguments by which a server of this data directory is known among all processes. */
export function postmasterArguments(dataDir: string): readonly string[] {
  return ["-D", dataDir];
}

/** The live server of this data directory, or null: none, a dead one, a zombie, or a stranger with its number. */
export function findPostmaster(dataDir: string): Postmaster | null {
  const lines = readPidFile(dataDir);
  const pid = Number(lines[0]);
  const port = Number(lines[3]);
  if (!isProcess(pid, postmasterArguments(dataDir))) return null;
  return { pid, port, ready: (lines[7] ?? "").trim() === "ready" };
}

/** True when a server ended without saying good-bye: its pid file is there and its process is not. */
export function hasCrashed(dataDir: string): boolean {
  return readPidFile(dataDir).length > 1 && findPostmaster(dataDir) === null;
}

/** Does something that speaks Postgres's protocol answer on this port of 127.0.0.1? */
export async function answersAsPostgres(port: number): Promise<boolean> {
  if (!(port > 0 && port < 65_536)) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const cancel = systemClock.after(PROBE_LIMIT_MS, () => resolve(false));
  const connecting = Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => void socket.write(SSL_REQUEST),
      data: (_, bytes) => resolve(bytes[0] === 0x53 || bytes[0] === 0x4e),
      close: () => resolve(false),
      error: () => resolve(false),
      connectError: () => resolve(false),
    },
  });
  try {
    const answered = await promise;
    (await connecting).end();
    return answered;
  } catch {
    return false;
  } finally {
    cancel();
  }
}

/**
 * Ends the server of this data directory: fast shutdown (SIGINT: clients are dropped, everything is written), then,
 * if it hangs, an immediate one (SIGQUIT: the next start replays the log; nothing committed is lost).
 * Resolves to its pid, or null when none ran.
 */
export async function endPostmaster(dataDir: string): Promise<number | null> {
  const postmaster = findPostmaster(dataDir);
  if (postmaster === null) return null;
  const known = { arguments: postmasterArguments(dataDir) };
  const { pid } = postmaster;
  const gone = await endProcess(pid, { ...known, signal: "SIGINT", waitMs: FAST_SHUTDOWN_MS });
  if (!gone) await endProcess(pid, { ...known, signal: "SIGQUIT", waitMs: IMMEDIATE_SHUTDOWN_MS });
  return pid;
}

/**
 * Postgres refuses to start while the process named in an old pid file lives, even when that is a stranger which got
 * the number later. The number is replaced by our own: a server takes its parent for no rival. The other lines stay,
 * so that it still looks whether processes of the old server hold its shared memory.
 */
export function disownPidFile(dataDir: string): void {
  const lines = readPidFile(dataDir);
  if (lines.length <= 1) return;
  const path = join(dataDir, "postmaster.pid");
  const { uid, gid } = statSync(dataDir);
  writeWhole(path, [String(process.pid), ...lines.slice(1)].join("\n"));
  chownSync(path, uid, gid);
}

/** Waits for a server that starts, recovers or shuts down: until it is ready, or gone (null), or too late (null). */
export async function awaitPostmaster(
  dataDir: string,
  options: { readonly waitMs: number; readonly report: Report },
): Promise<Postmaster | null> {
  const startMs = systemClock.monotonicMs();
  let sayAtMs = SAY_SO_MS;
  for (;;) {
    const postmaster = findPostmaster(dataDir);
    if (postmaster === null) return null;
    if (postmaster.ready && (await answersAsPostgres(postmaster.port))) return postmaster;
    const waitedMs = systemClock.monotonicMs() - startMs;
    if (waitedMs > options.waitMs) return null;
    if (waitedMs > sayAtMs) {
      options.report(`waiting for PostgreSQL (process ${postmaster.pid}) … ${describeMs(waitedMs)}`);
      sayAtMs += SAY_SO_MS;
    }
    await pause(systemClock, LOOK_MS);
  }
}

function readPidFile(dataDir: string): readonly string[] {
  try {
    return readFileSync(join(dataDir, "postmaster.pid"), "utf8").split("\n");
  } catch {
    return [];
  }
}
