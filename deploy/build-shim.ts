/**
 * Builds the C shim ahead of time, beside a library: `bun deploy/build-shim.ts /opt/cauce/librdkafka.so`.
 *
 * In: the path of a librdkafka, gcc on the PATH. Out: the shared object that the runtime then takes instead of compiling
 * at start; it is tried with the library before it is left there. Never here: fetching the library (fetch-librdkafka.ts).
 */
import { rmSync } from "node:fs";
import { resolve } from "node:path";
import { CauceError } from "cauce";
import { openCrossing, openLibrary, SHIM_SOURCE, shimAheadOf } from "cauce/kafka";

/** What runs per record is written for a compiler that does not optimise; one that does may take no liberties with aliases. */
const FLAGS = "-O2 -fno-strict-aliasing -shared -fPIC -nostdlib -s".split(" ");

/** @returns the path of the shim. @throws CauceError `library_unusable` when it does not compile or fails its self-test. */
export function buildShim(libraryPath: string): string {
  const path = shimAheadOf(libraryPath);
  const { success, stderr } = Bun.spawnSync(["gcc", ...FLAGS, SHIM_SOURCE, "-o", path]);
  if (!success) throw new CauceError("library_unusable", `gcc refuses the shim:\n${stderr.toString()}`);
  try {
    const crossing = openCrossing(openLibrary(libraryPath), "shim");
    if (crossing.builtAhead !== true)
      throw new CauceError("library_unusable", `${path} is not the shim that was opened`);
  } catch (thrown) {
    rmSync(path, { force: true });
    throw thrown;
  }
  return path;
}

if (import.meta.main) {
  const [library] = process.argv.slice(2);
  if (library === undefined) {
    process.stderr.write("usage: bun deploy/build-shim.ts LIBRARY\n");
    process.exitCode = 2;
  } else {
    process.stdout.write(`the shim, built ahead: ${buildShim(resolve(library))}\n`);
  }
}
