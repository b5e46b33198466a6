/**
 * Where the embedded parts keep what must outlive a process: `.cauce/` in the project's folder, unless told otherwise.
 *
 * In: a folder. Out: the paths inside it, files that only their owner may read, written whole or not at all.
 * Layout: `keeper/` (state of the keeper process), `postgres/` (access, binaries where copied, data), each with `log`
 * and a `lock`. Never here: what the files mean.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { CauceError, messageOf } from "../ground/errors.ts";

/** The folder that is used when no other one is set, below the project's folder. */
export const DEFAULT_STATE_FOLDER = ".cauce";

export interface ServiceState {
  readonly dir: string;
  readonly lock: string;
  readonly log: string;
}

export interface State {
  readonly dir: string;
  readonly keeper: ServiceState & { readonly file: string };
  readonly postgres: ServiceState & { readonly file: string };
}

/** A log that has grown past this is put aside (one older one is kept) when its service starts again. */
const LOG_LIMIT_BYTES = 4 * 1024 * 1024;
let temporaryCount = 0;

/** The state folder of a project: `.cauce/` in it, or the folder that a setting names (relative to the project). */
export function stateFolderOf(projectDir: string, setting?: string): string {
  return resolve(projectDir, setting ?? DEFAULT_STATE_FOLDER);
}

/**
 * Makes the folders (0700, ignored by git) and answers with the paths inside.
 * @throws CauceError `embedded_failed` when the folder cannot be made or written.
 */
export function openState(stateDir: string): State {
  try {
    if (!existsSync(stateDir)) mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const state = describeState(stateDir);
    for (const { dir, lock } of [state.keeper, state.postgres]) {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      // Made here and not by the lock itself: whoever can read a lock's file can hold it up.
      if (!existsSync(lock)) writeFileSync(lock, "", { mode: 0o600, flag: "a" });
    }
    const ignore = join(state.dir, ".gitignore");
    if (!existsSync(ignore)) writeWhole(ignore, "*\n");
    return state;
  } catch (thrown) {
    throw new CauceError(
      "embedded_failed",
      `the folder for embedded services, ${stateDir}, cannot be used: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
}

/** The same paths without making anything; for code that only looks. Symlinks in an existing folder are resolved. */
export function describeState(stateDir: string): State {
  const dir = existsSync(stateDir) ? realpathSync(stateDir) : resolve(stateDir);
  return {
    dir,
    keeper: { ...serviceState(dir, "keeper"), file: join(dir, "keeper", "keeper.json") },
    postgres: { ...serviceState(dir, "postgres"), file: join(dir, "postgres", "server.json") },
  };
}

/** Writes a file of mode 0600 whole or not at all: a reader, or a crash, never sees half of it. */
export function writeWhole(path: string, text: string): void {
  temporaryCount += 1;
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${temporaryCount}`);
  writeFileSync(temporary, text, { mode: 0o600, flush: true });
  renameSync(temporary, path);
}

/** Reads a JSON object; null when the file is missing, unreadable or no object (all mean: nobody vouches for it). */
export function readObject(path: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** Is this a JSON object, so that its fields may be looked at? */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Puts a log aside once it is large, and makes an empty one of mode 0600 where there is none. */
export function prepareLog(path: string): void {
  if (existsSync(path) && statSync(path).size > LOG_LIMIT_BYTES) renameSync(path, `${path}.1`);
  if (!existsSync(path)) writeFileSync(path, "", { mode: 0o600 });
  chmodSync(path, 0o600);
}

/** Size of a file in bytes, 0 when it is not there. */
export function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}

/** What was written to a log after `fromByte`: at most the last `limit` lines, for an error that must explain itself. */
export function logSince(path: string, fromByte: number, limit = 8): string {
  if (!existsSync(path)) return "";
  const text = readFileSync(path).subarray(fromByte).toString("utf8").trim();
  return text.split("\n").slice(-limit).join("\n");
}

function serviceState(stateDir: string, name: string): ServiceState {
  const dir = join(stateDir, name);
  return { dir, lock: join(dir, "lock"), log: join(dir, "log") };
}
