/**
 * The whole system as it is started from a shell: real child processes, their logs, their doors.
 *
 * In: settings. Out: running processes, what they said, what their doors answer, what their database holds.
 * `clearStage` after each test ends everything that it started. Never here: what any of it should do.
 */
import { chmodSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { postgresDataDir } from "../../runtime/embedded/postgres.ts";
import { describeState, readObject } from "../../runtime/embedded/state.ts";
import { stopEmbedded } from "../../runtime/embedded/stop.ts";
import { MARK_VARIABLE } from "../leftovers.ts";

/** One line of a process's log. */
export interface Line {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Cauce {
  readonly pid: number;
  /** Everything that it wrote so far, stdout and stderr. */
  output(): string;
  lines(): readonly Line[];
  /** The first line, of those written and those to come, that is wanted. Rejects when the process ends without it. */
  said(wanted: string | ((line: Line) => boolean)): Promise<Line>;
  /** Resolves when it is up: its door, or null where it has none. */
  up(): Promise<string | null>;
  /** The same for a process that must have a door. */
  door(): Promise<string>;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** Sends the signal and resolves with the exit code. */
  end(signal?: "SIGINT" | "SIGTERM"): Promise<number>;
  readonly exited: Promise<number>;
}

export type Settings = Readonly<Record<string, string>>;

export interface StartOptions {
  readonly settings?: Settings;
  /** Default: a new folder. */
  readonly stateDir?: string;
  /** The project's folder. Default: this repository. */
  readonly cwd?: string;
  /** What is run. Default: `cauce handlers`. */
  readonly program?: readonly string[];
}

const root = join(import.meta.dir, "../..");
/** Long enough for a slow machine, short enough to end a broken test. */
const WAIT_LIMIT_MS = 90_000;
/** What a process says of itself where a wait was in vain. */
const LAST_LINES = 4;
/** What a program needs of its surroundings, and none of the settings of this shell. */
const INHERITED = ["PATH", "HOME", "LANG", "XDG_CACHE_HOME", "CAUCE_LIBRDKAFKA", MARK_VARIABLE];
/** Waits of the pipeline, as short as tests want them. */
const QUICK: Settings = {
  RETRY_RATE_LIMIT_BASE_MS: "100",
  RETRY_FAILURE_BASE_MS: "50",
  CLAIM_CHECK_MS: "100",
};

const folders: string[] = [];
const running = new Set<Cauce>();

/** A folder for the data of embedded services, removed by `clearStage`. */
export function newStateDir(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "cauce-system-")));
  // As root, Postgres runs under another account, which must be able to walk through.
  chmodSync(folder, 0o711);
  folders.push(folder);
  return join(folder, "state");
}

/** Starts `cauce handlers` with the settings given and no others; a free port unless PORT says otherwise. */
export function startCauce(options: StartOptions = {}): Cauce {
  const program = options.program ?? [join(root, "runtime/bin/cauce.ts"), "handlers"];
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const child = Bun.spawn([process.execPath, ...program], {
    cwd: options.cwd ?? root,
    env: {
      ...Object.fromEntries(inherited),
      ...QUICK,
      PORT: "0",
      STATE_DIR: options.stateDir ?? newStateDir(),
      ...options.settings,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const cauce = watch(child);
  running.add(cauce);
  void child.exited.then(() => running.delete(cauce));
  return cauce;
}

/** Ends all processes; their folders stay. After a test that failed, what it started would disturb the next ones. */
export async function endRunning(): Promise<void> {
  await Promise.all([...running].map((cauce) => cauce.kill()));
}

/** Ends all processes and removes all folders that were made since the last call. */
export async function clearStage(): Promise<void> {
  await endRunning();
  await Promise.all(folders.splice(0).map(clearFolder));
}

async function clearFolder(folder: string): Promise<void> {
  const stateDir = join(folder, "state");
  const dataDir = postgresDataDir(stateDir);
  await stopEmbedded({ stateDir, report: () => {} });
  if (dataDir !== null && !dataDir.startsWith(folder)) rmSync(dirname(dataDir), { recursive: true });
  rmSync(folder, { recursive: true, force: true });
}

function watch(child: Bun.Subprocess<"ignore", "pipe", "pipe">): Cauce {
  let text = "";
  let ended = false;
  const watchers = new Set<() => void>();
  const tell = () => {
    for (const watcher of watchers) watcher();
  };
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      tell();
    }
  };
  const exited = Promise.all([child.exited, read(child.stdout), read(child.stderr)]).then(([code]) => {
    ended = true;
    tell();
    return code;
  });
  const cauce: Cauce = {
    pid: child.pid,
    output: () => text,
    lines: () => text.split("\n").slice(0, -1).flatMap(parseLine),
    said(wanted) {
      const matches = typeof wanted === "string" ? ({ event }: Line) => event === wanted : wanted;
      const { promise, resolve, reject } = Promise.withResolvers<Line>();
      const look = () => {
        const line = cauce.lines().find(matches);
        if (line !== undefined) resolve(line);
        else if (ended) reject(new Error(`it ended without saying ${String(wanted)}:\n${text}`));
      };
      const late = setTimeout(
        () => reject(new Error(`it did not say ${String(wanted)}:\n${text}`)),
        WAIT_LIMIT_MS,
      );
      watchers.add(look);
      look();
      return promise.finally(() => {
        clearTimeout(late);
        watchers.delete(look);
      });
    },
    async up() {
      const { parts } = (await cauce.said("up")) as unknown as { parts: { part: string; what: string }[] };
      const door = parts.find(({ part }) => part === "door")?.what ?? "";
      return door.startsWith("http") ? door : null;
    },
    async door() {
      const door = await cauce.up();
      if (door === null) throw new Error(`it has no door:\n${text}`);
      return door;
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
    async end(signal = "SIGTERM") {
      child.kill(signal);
      return await exited;
    },
    exited,
  };
  return cauce;
}

function parseLine(line: string): Line[] {
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === "object" && parsed !== null && "event" in parsed ? [parsed as Line] : [];
  } catch {
    return [];
  }
}

/** Resolves when `look` answers something else than null, false or undefined; what it throws counts as "not yet". */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
): Promise<Exclude<T, null | false | undefined>> {
  const deadlineMs = performance.now() + WAIT_LIMIT_MS;
  let last: unknown = "";
  for (;;) {
    try {
      const found = await look();
      if (found !== null && found !== false && found !== undefined) {
        // The three values that mean "not yet" were ruled out in the line above.
        return found as Exclude<T, null | false | undefined>;
      }
    } catch (thrown) {
      last = thrown;
    }
    if (performance.now() > deadlineMs)
      throw new Error(`waited in vain: ${what} ${String(last)}\n${lastWords()}`);
    await Bun.sleep(25);
  }
}

/** What those who run have complained of last: the reason of a wait that was in vain may stand there. */
function lastWords(): string {
  const complaints = (cauce: Cauce) =>
    cauce
      .lines()
      .filter(({ level }) => level !== "info" && level !== "debug")
      .slice(-LAST_LINES)
      .map((line) => `${cauce.pid} said ${JSON.stringify(line)}`);
  return [...running].flatMap(complaints).join("\n");
}

/** The address of a state folder's embedded Postgres, which must be running. Takes no lease. */
export function embeddedDatabase(stateDir: string): string {
  const { password, port } = readObject(describeState(stateDir).postgres.file) ?? {};
  return `postgres://cauce:${String(password)}@127.0.0.1:${String(port)}/postgres`;
}

/** The process id of a state folder's keeper, which hosts the embedded broker. */
export function keeperOf(stateDir: string): number {
  const { pid } = readObject(describeState(stateDir).keeper.file) ?? {};
  if (typeof pid !== "number") throw new Error(`no keeper runs for ${stateDir}`);
  return pid;
}

/** One statement on a connection of its own. */
export async function sql(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new Bun.SQL(url, { max: 1 });
  try {
    return [...((await client.unsafe(statement)) as Record<string, unknown>[])];
  } finally {
    await client.close();
  }
}

/** The number that a statement's only row and column hold. */
export async function count(url: string, statement: string): Promise<number> {
  const [row] = await sql(url, statement);
  return Number(Object.values(row ?? {})[0]);
}

/** A zombie, which has no command line, does not run. */
export function isRunning(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
  } catch {
    return false;
  }
}
