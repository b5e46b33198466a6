/**
 * Which PostgreSQL programs are used: the npm package's, else the system's.
 *
 * In: where data lies and who runs it. Out: a folder with `initdb` and `postgres` that were seen to run as that
 * account, or an error that names everything tried and why it failed. Never here: fetching or installing anything.
 */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { CauceError, messageOf } from "../ground/errors.ts";
import type { Report } from "../provision/step.ts";
import type { Place } from "./postgres-account.ts";
import { copyNative, findNative, linkLibraries, nativePackageName } from "./postgres-native.ts";

export interface Binaries {
  /** The folder that holds `initdb` and `postgres`. */
  readonly bin: string;
  /** As the program says it, such as "18.4". */
  readonly version: string;
}

export interface BinariesOptions {
  readonly place: Place;
  /** Major version that existing data needs, such as 18; null when there is no data yet. */
  readonly dataMajor: number | null;
  readonly report: Report;
}

type Probe = { readonly version: string } | { readonly reason: string };

/** Older ones lack what the tables need, and are out of support. */
const OLDEST_MAJOR = 14;
const PROBE_LIMIT_MS = 10_000;
const SYSTEM_FOLDERS = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"];

/** @throws CauceError `embedded_failed` that lists what was tried. */
export async function findBinaries(options: BinariesOptions): Promise<Binaries> {
  const tried: string[] = [];
  const consider = (bin: string, probe: Probe): Binaries | null => {
    const reason = "reason" in probe ? probe.reason : unfit(probe.version, options.dataMajor);
    if (reason === null && "version" in probe) return { bin, version: probe.version };
    tried.push(`${bin}: ${reason ?? "unknown"}`);
    return null;
  };

  const fromNpm = await npmBinaries(options, tried);
  const found = fromNpm === null ? null : consider(fromNpm.bin, fromNpm.probe);
  if (found !== null) return found;
  const system = systemFolders();
  for (const bin of system) {
    const usable = consider(bin, probeFolder(bin, options.place));
    if (usable !== null) return usable;
  }
  if (system.length === 0) tried.push("/usr/lib/postgresql/*/bin and PATH: no postgres there");
  throw new CauceError(
    "embedded_failed",
    `no PostgreSQL could be started. Tried:\n  ${tried.join("\n  ")}\n` +
      "Set DATABASE_URL to a PostgreSQL of yours, or run `bun install`, or install one (Debian: apt-get install postgresql)",
  );
}

async function npmBinaries(
  { place, report }: BinariesOptions,
  tried: string[],
): Promise<{ readonly bin: string; readonly probe: Probe } | null> {
  const native = findNative();
  if (native === null) {
    tried.push(`npm package ${nativePackageName()}: not installed (or none exists for this platform)`);
    return null;
  }
  const inPlace = join(native.dir, "bin");
  try {
    linkLibraries(native.dir);
    const probe = probeFolder(inPlace, place);
    if ("version" in probe) return { bin: inPlace, probe };
    tried.push(`${inPlace}: ${probe.reason}`);
  } catch (thrown) {
    tried.push(`${inPlace}: ${messageOf(thrown)}`);
  }
  try {
    const bin = join(await copyNative(native, { home: place.home, report }), "bin");
    return { bin, probe: probeFolder(bin, place) };
  } catch (thrown) {
    tried.push(`a copy of it in ${place.home}: ${messageOf(thrown)}`);
    return null;
  }
}

/** Asks the program for its version as the account that will run it: proves that it can be read, loaded and run. */
function probeFolder(bin: string, { account }: Place): Probe {
  if (!existsSync(join(bin, "initdb"))) return { reason: "has no initdb" };
  try {
    const { exitCode, stdout, stderr } = Bun.spawnSync([join(bin, "postgres"), "--version"], {
      cwd: "/",
      env: {},
      timeout: PROBE_LIMIT_MS,
      ...account,
    });
    const version = /(\d+(?:\.\d+)*)/.exec(stdout.toString())?.[1];
    if (exitCode === 0 && version !== undefined) return { version };
    return { reason: stderr.toString().trim() || `ended with status ${exitCode}` };
  } catch (thrown) {
    return { reason: messageOf(thrown) };
  }
}

function unfit(version: string, dataMajor: number | null): string | null {
  const major = Number.parseInt(version, 10);
  if (dataMajor !== null && major !== dataMajor) {
    return `is version ${version}, and the data there was made by version ${dataMajor}`;
  }
  return major < OLDEST_MAJOR ? `is version ${version}; ${OLDEST_MAJOR} is the oldest accepted` : null;
}

/** Newest first; the one on PATH last. */
function systemFolders(): readonly string[] {
  const installed = SYSTEM_FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /^(?:postgresql@)?\d+$/.test(name))
      .toSorted((a, b) => Number(b.replace(/\D/g, "")) - Number(a.replace(/\D/g, "")))
      .map((name) => join(folder, name, "bin")),
  );
  const onPath = Bun.which("postgres");
  return [...new Set([...installed, ...(onPath === null ? [] : [dirname(onPath)])])];
}
