/**
 * Makes a data directory and starts a server on it, detached from us.
 *
 * In: programs, a place, a password. Out: a server that accepts connections on 127.0.0.1, at a port below 32768
 * (above, the kernel hands ports to outgoing connections and could take ours between two starts).
 * fsync stays on: what a commit acknowledged survives `kill -9` of every process and a power cut.
 * Never here: the question whether one runs already. The caller holds the lock.
 */
import { randomInt } from "node:crypto";
import { chownSync, closeSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pause, systemClock } from "../ground/clock.ts";
import { describeMs } from "../ground/duration.ts";
import { CauceError } from "../ground/errors.ts";
import type { Report } from "../provision/step.ts";
import type { Place } from "./postgres-account.ts";
import type { Binaries } from "./postgres-binaries.ts";
import { answersAsPostgres, disownPidFile, findPostmaster, type Postmaster } from "./postmaster.ts";
import { logSince, prepareLog, sizeOf, writeWhole } from "./state.ts";

export interface StartOptions {
  readonly place: Place;
  readonly binaries: Binaries;
  readonly log: string;
  /** Tried first, so that addresses stay the same over restarts; null for any. */
  readonly preferredPort: number | null;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
}

/** The only role: owner of everything in this server. */
export const POSTGRES_USER = "cauce";

const LOWEST_PORT = 20_000;
const HIGHEST_PORT = 32_000;
const PORT_TRIES = 20;
/** Crash recovery of a large log may take long; it is shown while it lasts. */
const START_LIMIT_MS = 180_000;
const INIT_LIMIT_MS = 120_000;
/** Processes of a server that was killed need a moment to notice and let go of its shared memory. */
const RELEASE_LIMIT_MS = 20_000;
const LOOK_MS = 10;
const SAY_SO_MS = 5_000;

/** Settings of every start; what is not here is Postgres's default. `fsync` is spelled out because it is a promise. */
const SERVER_SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  max_connections: "200",
  max_wal_size: "512MB",
  jit: "off",
  timezone: "UTC",
  log_timezone: "UTC",
  lc_messages: "C",
  logging_collector: "off",
  log_min_messages: "warning",
  cluster_name: "cauce",
} as const;

/** Makes the data directory in a folder beside it and moves it into place: a crash never leaves half of one. */
export async function initialize(options: StartOptions & { readonly password: string }): Promise<void> {
  const { place, binaries, password } = options;
  options.report(`making a PostgreSQL ${binaries.version} database in ${place.dataDir} …`);
  const startMs = systemClock.monotonicMs();
  const fresh = join(place.home, "data.new");
  const passwordFile = join(place.home, "password.new");
  rmSync(fresh, { recursive: true, force: true });
  try {
    mkdirSync(fresh, { mode: 0o700 });
    writeWhole(passwordFile, `${password}\n`);
    if (place.account !== null) {
      for (const path of [fresh, passwordFile]) chownSync(path, place.account.uid, place.account.gid);
    }
    const locale = Number.parseInt(binaries.version, 10) >= 17 ? BUILTIN_LOCALE : ["--locale=C"];
    const given = ["-D", fresh, "-U", POSTGRES_USER, `--pwfile=${passwordFile}`, ...INIT_ARGUMENTS];
    options.signal?.throwIfAborted();
    const child = Bun.spawn([join(binaries.bin, "initdb"), ...given, ...locale], {
      cwd: "/",
      env: {},
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      timeout: INIT_LIMIT_MS,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...place.account,
    });
    const complaint = await new Response(child.stderr).text();
    const exitCode = await child.exited;
    options.signal?.throwIfAborted();
    if (exitCode !== 0) throw failed("initdb could not make a database", complaint.trim());
    renameSync(fresh, place.dataDir);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  options.report(`made a PostgreSQL database in ${describeMs(systemClock.monotonicMs() - startMs)}`);
}

const INIT_ARGUMENTS = ["--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"];
/** The same order and case rules on every machine; the default would take the machine's. */
const BUILTIN_LOCALE = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];

/** Starts a server on an existing data directory and resolves when it accepts connections. */
export async function start(options: StartOptions): Promise<Postmaster> {
  const releaseDeadlineMs = systemClock.monotonicMs() + RELEASE_LIMIT_MS;
  let port = options.preferredPort;
  for (let tries = 0; tries < PORT_TRIES;) {
    options.signal?.throwIfAborted();
    if (port === null || !isFree(port)) {
      port = randomInt(LOWEST_PORT, HIGHEST_PORT);
      tries += 1;
      if (!isFree(port)) continue;
    }
    const result = await startAt(port, options);
    if ("pid" in result) return result;
    if (/could not bind|Address already in use/i.test(result.complaint)) {
      port = null;
      tries += 1;
    } else if (
      /still in use|lock file "[^"]*" already exists/i.test(result.complaint) &&
      systemClock.monotonicMs() < releaseDeadlineMs
    ) {
      await pause(systemClock, 10 * LOOK_MS, options.signal);
    } else {
      throw failed(`PostgreSQL could not start on ${options.place.dataDir}`, result.complaint);
    }
  }
  throw failed("PostgreSQL could not start", `no free port found between ${LOWEST_PORT} and ${HIGHEST_PORT}`);
}

async function startAt(
  port: number,
  options: StartOptions,
): Promise<Postmaster | { readonly complaint: string }> {
  const { place, binaries, log } = options;
  if (findPostmaster(place.dataDir) === null) disownPidFile(place.dataDir);
  prepareLog(log);
  const logStart = sizeOf(log);
  const output = openSync(log, "a");
  const settings = Object.entries({ ...SERVER_SETTINGS, port }).flatMap(([name, value]) => [
    "-c",
    `${name}=${value}`,
  ]);
  const child = Bun.spawn([join(binaries.bin, "postgres"), "-D", place.dataDir, ...settings], {
    cwd: "/",
    env: {},
    detached: true,
    stdin: "ignore",
    stdout: output,
    stderr: output,
    ...place.account,
  });
  child.unref();
  closeSync(output);
  const startMs = systemClock.monotonicMs();
  let sayAtMs = SAY_SO_MS;
  while (child.exitCode === null && child.signalCode === null) {
    const found = findPostmaster(place.dataDir);
    if (found?.pid === child.pid && found.ready && (await answersAsPostgres(found.port))) return found;
    const waitedMs = systemClock.monotonicMs() - startMs;
    if (options.signal?.aborted === true || waitedMs > START_LIMIT_MS) {
      child.kill("SIGINT");
      await child.exited;
      options.signal?.throwIfAborted();
      throw failed(`PostgreSQL was not ready after ${describeMs(waitedMs)}`, logSince(log, logStart));
    }
    if (waitedMs > sayAtMs) {
      options.report(`starting PostgreSQL … ${describeMs(waitedMs)}`);
      sayAtMs += SAY_SO_MS;
    }
    await pause(systemClock, LOOK_MS);
  }
  return { complaint: logSince(log, logStart) || `it ended with ${child.signalCode ?? child.exitCode}` };
}

function isFree(port: number): boolean {
  try {
    const listener = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
    listener.stop(true);
    return true;
  } catch {
    return false;
  }
}

function failed(what: string, why: string): CauceError {
  return new CauceError("embedded_failed", `${what}:\n${why}`);
}
