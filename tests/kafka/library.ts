/**
 * The librdkafka of this machine, for tests: the one that `bun run handlers` would take.
 */
import { locateLibrary } from "../../runtime/kafka/library/locate.ts";
import { type Library, openLibrary } from "../../runtime/kafka/symbols.ts";
import { cacheFolder } from "../../runtime/provision/cache-folder.ts";

export async function testLibrary(): Promise<Library> {
  const { path } = await locateLibrary({
    env: process.env,
    cacheDir: cacheFolder(process.env),
    production: false,
    report: () => undefined,
  });
  return openLibrary(path);
}

/** Both ways across the border; the same tests run over each. */
export const CROSSINGS = ["shim", "plain"] as const;
