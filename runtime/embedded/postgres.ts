/**
 * An embedded PostgreSQL: a real server of our own, started when nobody gave a DATABASE_URL.
 *
 * In: a state folder. Out: an address that works now. The server is detached: it outlives the process that started
 * it, others attach to it, and the keeper (keeper.ts) ends it when the last process that uses it is gone.
 * Order: attach to a running one; else start one with the programs of npm or of the system (postgres-binaries.ts).
 * Never here: tables, SQL, a wish to replace the caller's own DATABASE_URL.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../ground/clock.ts";
import { describeMs } from "../ground/duration.ts";
import { holdLock } from "../provision/lock.ts";
import type { Report } from "../provision/step.ts";
import { keepLease } from "./keeper.ts";
import { resetPassword } from "./postgres-password.ts";
import { placePostgres, type Place } from "./postgres-account.ts";
import { findBinaries } from "./postgres-binaries.ts";
import { initialize, POSTGRES_USER, start } from "./postgres-start.ts";
import { awaitPostmaster, endPostmaster, findPostmaster, hasCrashed } from "./postmaster.ts";
import { describeState, openState, readObject, writeWhole, type State } from "./state.ts";

export interface EmbeddedPostgresOptions {
  readonly stateDir: string;
  readonly report: Report;
  readonly signal?: AbortSignal;
  /** How long a new keeper stays after the last lease, in ms. Default 5 s. */
  readonly graceMs?: number;
}

export interface EmbeddedPostgres {
  /** With the password inside: a secret, never logged. */
  readonly url: string;
  /** Did this call start the server, or find it running? */
  readonly how: "started" | "attached";
  /** As the server says it, such as "18.4". */
  readonly version: string;
  /** Gives this process's lease back; the server ends when nobody holds one. Idempotent. */
  close(): Promise<void>;
  /** Ends the server now, for all processes. */
  stop(): Promise<void>;
}

/** What `server.json` (0600) remembers between starts. */
interface Access {
  readonly password: string;
  readonly dataDir: string;
  readonly port: number | null;
  readonly version: string;
}

type Running = Access & { readonly port: number; readonly how: "started" | "attached" };

/** A server that another process is starting, or that recovers from a crash, is waited for this long. */
const READY_LIMIT_MS = 180_000;

/**
 * Attaches to the state folder's server, or starts it: about 1 s the first time, 0.1 s with data there.
 * @throws CauceError `embedded_failed` with what was tried, or the server's own words.
 */
export async function attachPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const state = openState(options.stateDir);
  const lease = await keepLease({ ...options, stateDir: state.dir, holder: "postgres" });
  try {
    const running = await ensurePostgres(options);
    return {
      url: `postgres://${POSTGRES_USER}:${running.password}@127.0.0.1:${running.port}/postgres`,
      how: running.how,
      version: running.version,
      close: () => lease.close(),
      async stop() {
        await stopPostgres(state.dir);
        await lease.close();
      },
    };
  } catch (thrown) {
    await lease.close();
    throw thrown;
  }
}

/** The server runs when this resolves. Takes no lease: for the keeper, and for those who hold one. */
export async function ensurePostgres(options: EmbeddedPostgresOptions): Promise<Running> {
  const state = openState(options.stateDir);
  const running = await attachToRunning(state, options.report);
  if (running !== null) return running;
  const lock = { path: state.postgres.lock, title: "starting PostgreSQL", report: options.report };
  return holdLock(
    lock,
    async () => (await attachToRunning(state, options.report)) ?? (await startHere(state, options)),
  );
}

/** Ends the state folder's server and waits for it. Resolves to its pid, or null when none ran. */
export async function stopPostgres(stateDir: string, report: Report = () => {}): Promise<number | null> {
  const state = describeState(stateDir);
  const access = readAccess(state);
  if (access === null) return null;
  const lock = { path: state.postgres.lock, title: "starting PostgreSQL", report };
  return holdLock(lock, () => endPostmaster(access.dataDir));
}

/** Where this state folder's data lies; null when Postgres never ran here. */
export function postgresDataDir(stateDir: string): string | null {
  return readAccess(describeState(stateDir))?.dataDir ?? null;
}

/** Starts the server again when it ended without being told to; true when that was so. For the keeper. */
export async function revivePostgres(options: EmbeddedPostgresOptions): Promise<boolean> {
  const access = readAccess(describeState(options.stateDir));
  if (access === null || !hasCrashed(access.dataDir)) return false;
  return (await ensurePostgres(options)).how === "started";
}

async function attachToRunning(state: State, report: Report): Promise<Running | null> {
  const access = readAccess(state);
  if (access === null || findPostmaster(access.dataDir) === null) return null;
  const found = await awaitPostmaster(access.dataDir, { waitMs: READY_LIMIT_MS, report });
  return found === null ? null : { ...access, port: found.port, how: "attached" };
}

async function startHere(state: State, options: EmbeddedPostgresOptions): Promise<Running> {
  const startMs = systemClock.monotonicMs();
  const known = readAccess(state);
  const place = placePostgres(state, known?.dataDir ?? null);
  const binaries = await findBinaries({ place, dataMajor: majorOf(place), report: options.report });
  const access: Access = known ?? {
    password: randomBytes(24).toString("base64url"),
    dataDir: place.dataDir,
    port: null,
    version: binaries.version,
  };
  remember(state, access);
  const startOptions = {
    place,
    binaries,
    log: state.postgres.log,
    preferredPort: access.port,
    report: options.report,
    signal: options.signal,
  };
  if (!existsSync(place.dataDir)) await initialize({ ...startOptions, password: access.password });
  else if (known === null) {
    await endPostmaster(place.dataDir);
    await resetPassword({ ...startOptions, password: access.password });
  }
  const { port } = await start(startOptions);
  const running: Running = { ...access, port, version: binaries.version, how: "started" };
  remember(state, running);
  const tookMs = systemClock.monotonicMs() - startMs;
  options.report(
    `started PostgreSQL ${binaries.version} on 127.0.0.1:${port} in ${describeMs(tookMs)} (data: ${place.dataDir})`,
  );
  return running;
}

/** Written before the first start too: whoever finds the server running can then open it. */
function remember(state: State, { password, dataDir, port, version }: Access): void {
  writeWhole(state.postgres.file, `${JSON.stringify({ password, dataDir, port, version }, null, 2)}\n`);
}

function readAccess(state: State): Access | null {
  const read = readObject(state.postgres.file);
  if (read === null) return null;
  const { password, dataDir, port, version } = read;
  if (typeof password !== "string" || typeof dataDir !== "string" || typeof version !== "string") return null;
  return { password, dataDir, version, port: typeof port === "number" ? port : null };
}

function majorOf({ dataDir }: Place): number | null {
  const path = join(dataDir, "PG_VERSION");
  return existsSync(path) ? Number.parseInt(readFileSync(path, "utf8"), 10) : null;
}
