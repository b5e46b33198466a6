/**
 * Libraries that were fetched or built before, kept per user.
 *
 * In: a finished library. Out: `<cache>/librdkafka/<version>-<arch>-<sha256>/librdkafka.so`, whose bytes still
 * have that sha256 when it is handed out again. Two processes may store the same library at once: the folder
 * appears by one rename, complete or not at all. Never here: fetching, loading, deleting what others may use.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { compareVersions } from "./candidate.ts";

/** The file's name inside its folder; Bun's C compiler finds a library only under this name. */
const FILE_NAME = "librdkafka.so";
const FOLDER_FORM = /^(\d+\.\d+\.\d+)-([a-z0-9]+)-([0-9a-f]{64})$/;

export interface LibraryCache {
  /** Where fetched and built libraries lie. */
  readonly folder: string;
  /** Paths of the libraries for this processor, the newest version first; damaged ones are named, not returned. */
  list(): { readonly paths: readonly string[]; readonly damaged: readonly string[] };
  /** Copies a finished library in and returns its path there. */
  keep(file: string, version: string): string;
}

export function openLibraryCache(cacheDir: string, arch: string = process.arch): LibraryCache {
  const folder = join(cacheDir, "librdkafka");
  return {
    folder,
    list: () => listEntries(folder, arch),
    keep: (file, version) => keepEntry({ folder, arch, file, version }),
  };
}

/** The sha256 of a file, as 64 hex digits. */
export function sha256Of(file: string): string {
  return new Bun.CryptoHasher("sha256").update(readFileSync(file)).digest("hex");
}

function listEntries(folder: string, arch: string) {
  const paths: string[] = [];
  const damaged: string[] = [];
  for (const { path, sha256 } of entriesOf(folder, arch)) {
    (isIntact(path, sha256) ? paths : damaged).push(path);
  }
  return { paths, damaged };
}

function entriesOf(folder: string, arch: string) {
  return namesIn(folder)
    .map((name) => FOLDER_FORM.exec(name))
    .filter((match) => match !== null)
    .map(([name, version = "", entryArch, sha256 = ""]) => ({
      path: join(folder, name, FILE_NAME),
      version,
      entryArch,
      sha256,
    }))
    .filter((entry) => entry.entryArch === arch)
    .toSorted((a, b) => compareVersions(b.version, a.version));
}

function keepEntry(entry: { folder: string; arch: string; file: string; version: string }): string {
  const sha256 = sha256Of(entry.file);
  const target = join(entry.folder, `${entry.version}-${entry.arch}-${sha256}`);
  const path = join(target, FILE_NAME);
  mkdirSync(entry.folder, { recursive: true });
  const half = mkdtempSync(join(entry.folder, ".half-"));
  try {
    copyFileSync(entry.file, join(half, FILE_NAME));
    if (!isIntact(path, sha256)) {
      rmSync(target, { recursive: true, force: true });
      renameSync(half, target);
    }
  } catch (thrown) {
    // Another process was quicker: its entry is as good as ours.
    if (!isIntact(path, sha256)) throw thrown;
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
  return path;
}

function isIntact(path: string, sha256: string): boolean {
  try {
    return sha256Of(path) === sha256;
  } catch {
    return false;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
