/**
 * `bun run test:build`: builds librdkafka from its vendored source into an empty cache, and opens what came out.
 *
 * It is a command of its own because it compiles for a minute and, on Debian as root, may install a compiler.
 * Out: the time it took; status 0 only when the library answers with an accepted version, from the cache as well.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureDependencies } from "../runtime/bin/install.ts";
import { describeMs } from "../runtime/ground/duration.ts";
import { messageOf } from "../runtime/ground/errors.ts";
import { buildPlace } from "../runtime/kafka/library/build.ts";
import { openLibraryCache } from "../runtime/kafka/library/cache.ts";
import { inspectLibrary } from "../runtime/kafka/library/candidate.ts";
import { addonFolder } from "../runtime/kafka/library/place.ts";
import { readPlatform } from "../runtime/provision/platform.ts";

process.exit(await main());

async function main(): Promise<number> {
  const startMs = performance.now();
  const cacheDir = mkdtempSync(join(tmpdir(), "cauce-build-"));
  try {
    await ensureDependencies({ root: join(import.meta.dir, ".."), env: process.env, report: say });
    const cache = openLibraryCache(cacheDir);
    const platform = readPlatform();
    const place = buildPlace(addonFolder(), { platform, env: process.env, cache, report: say });
    const offer = await place.offer();
    const [path] = "paths" in offer ? offer.paths : [];
    if (path === undefined) throw new Error("reason" in offer ? offer.reason : "nothing came out");
    const inspection = inspectLibrary(path);
    if (!inspection.ok) throw new Error(inspection.reason);
    if (cache.list().paths[0] !== path) throw new Error("the cache does not hand out what was built");
    say(
      `librdkafka ${inspection.version} was built and opened in ${describeMs(performance.now() - startMs)}`,
    );
    say("1 passed, 0 failed");
    return 0;
  } catch (thrown) {
    say(messageOf(thrown));
    say("0 passed, 1 failed");
    return 1;
  } finally {
    rmSync(cacheDir, { recursive: true, force: true });
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
