/**
 * Puts librdkafka where an image wants it: `bun deploy/fetch-librdkafka.ts /opt/cauce/librdkafka.so`.
 *
 * In: the path of the copy. Out: one library that answers with an accepted version, found or made in the order of
 * `bun run doctor`, copied there. Never here: anything at run time; the image names the copy as CAUCE_LIBRDKAFKA.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { locateLibrary } from "cauce/kafka";

/** @throws CauceError `library_unusable`, listing what was tried, when there is none to be had. */
export async function fetchLibrary(target: string): Promise<string> {
  // A cache of its own, so that the image's layers hold one copy and no more.
  const cacheDir = mkdtempSync(join(tmpdir(), "cauce-fetch-"));
  try {
    const found = await locateLibrary({ env: process.env, cacheDir, production: false, report: say });
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(found.path, target);
    return `librdkafka ${found.version} from ${found.source}: ${target}`;
  } finally {
    rmSync(cacheDir, { recursive: true, force: true });
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

if (import.meta.main) {
  const [target] = process.argv.slice(2);
  if (target === undefined) {
    process.stderr.write("usage: bun deploy/fetch-librdkafka.ts FILE\n");
    process.exitCode = 2;
  } else {
    process.stdout.write(`${await fetchLibrary(resolve(target))}\n`);
  }
}
