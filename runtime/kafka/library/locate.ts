/**
 * Finds librdkafka, or makes one.
 *
 * In: the environment, a cache folder, and whether this is production. Out: the path of one library that answers
 * with an accepted version. The order: `CAUCE_LIBRDKAFKA`, the addon's `.node`, our cache, the system's (2.12 or
 * newer), the pinned Python wheel, the vendored source. In production the last two are never asked.
 * Never here: keeping the library open, settings of the client.
 */
import { CauceError, messageOf } from "../../ground/errors.ts";
import { installCommand } from "../../provision/apt.ts";
import { commandLine } from "../../provision/command-line.ts";
import { describePlatform, readPlatform, type Platform } from "../../provision/platform.ts";
import type { Report } from "../../provision/step.ts";
import { buildPlace } from "./build.ts";
import { openLibraryCache } from "./cache.ts";
import { inspectLibrary, OLDEST_ACCEPTED, type Inspection } from "./candidate.ts";
import {
  addonFolder,
  addonPlace,
  systemPlace,
  type LibraryPlace,
  type LibrarySource,
  type Offer,
} from "./place.ts";
import { wheelPlace } from "./wheel.ts";

export interface LocateOptions {
  /** The process's environment: `CAUCE_LIBRDKAFKA`, `LD_LIBRARY_PATH`, and what pip and apt need. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's cache folder of Cauce; see `cacheFolder`. */
  readonly cacheDir: string;
  /** In production nothing is fetched or built. */
  readonly production: boolean;
  /** Takes a line whenever something is fetched, built or waited for. Nothing found at once reports nothing. */
  readonly report: Report;
}

export interface LocatedLibrary {
  /** Absolute path of the library. */
  readonly path: string;
  /** What the library says of itself, such as "2.16.0". */
  readonly version: string;
  readonly source: LibrarySource;
  /** What was tried before, in order, and why it was not taken. */
  readonly tried: readonly TriedPlace[];
}

export interface TriedPlace {
  readonly source: LibrarySource;
  readonly title: string;
  readonly reason: string;
}

/**
 * The first usable librdkafka, in the order above.
 * @throws CauceError `library_unusable`, listing what was tried, why each failed, and the one command that helps.
 */
export function locateLibrary(options: LocateOptions): Promise<LocatedLibrary> {
  const platform = readPlatform();
  const folder = addonFolder();
  const cache = openLibraryCache(options.cacheDir);
  const making = { platform, env: options.env, cache, report: options.report };
  const places: LibraryPlace[] = [
    addonPlace(folder),
    {
      source: "cache",
      title: `our cache (${cache.folder})`,
      makes: false,
      async offer() {
        const { paths, damaged } = cache.list();
        const notes = damaged.map((path) => `${path}: damaged`);
        return paths.length > 0 ? { paths, notes } : { reason: ["it has none", ...notes].join("; ") };
      },
    },
    systemPlace(platform, options.env["LD_LIBRARY_PATH"]),
    wheelPlace(making),
    buildPlace(folder, making),
  ];
  const setting = options.env["CAUCE_LIBRDKAFKA"];
  return searchPlaces({ setting, places, production: options.production, platform, inspect: inspectLibrary });
}

/** The order itself, with everything that touches the machine handed in. */
export async function searchPlaces(search: {
  readonly setting: string | undefined;
  readonly places: readonly LibraryPlace[];
  readonly production: boolean;
  readonly platform: Platform;
  readonly inspect: (path: string) => Inspection;
}): Promise<LocatedLibrary> {
  const tried: TriedPlace[] = [];
  const helps: string[] = [];
  if (search.setting) return inspectSetting(search.setting, search.inspect);
  tried.push({ source: "setting", title: "CAUCE_LIBRDKAFKA", reason: "not set" });
  for (const place of search.places) {
    const refuse = (reason: string) => tried.push({ source: place.source, title: place.title, reason });
    if (place.makes && search.production) {
      refuse("not tried: with NODE_ENV=production nothing is fetched or built");
      continue;
    }
    const offer = await askPlace(place);
    if ("reason" in offer) {
      refuse(offer.reason);
      if (offer.help !== undefined) helps.push(offer.help);
      continue;
    }
    for (const note of offer.notes ?? []) refuse(note);
    for (const path of offer.paths) {
      const inspection = search.inspect(path);
      if (inspection.ok) return { path, version: inspection.version, source: place.source, tried };
      refuse(`${path}: ${inspection.reason}`);
    }
  }
  throw nothingFound({ tried, help: helpFor(search, helps), platform: search.platform });
}

/** A place that breaks (a read-only home, a full disk) is one more place that has nothing. */
async function askPlace(place: LibraryPlace): Promise<Offer> {
  try {
    return await place.offer();
  } catch (thrown) {
    return { reason: messageOf(thrown) };
  }
}

/** A library named by hand is used or refused; nothing else takes its place in silence. */
function inspectSetting(path: string, inspect: (path: string) => Inspection): LocatedLibrary {
  const inspection = inspect(path);
  if (inspection.ok) return { path, version: inspection.version, source: "setting", tried: [] };
  throw new CauceError(
    "library_unusable",
    `CAUCE_LIBRDKAFKA names ${path}, which cannot be used: ${inspection.reason}. ` +
      `Name a librdkafka ${OLDEST_ACCEPTED} or newer, or unset CAUCE_LIBRDKAFKA to have one found.`,
  );
}

function helpFor(search: { production: boolean; platform: Platform }, helps: readonly string[]): string {
  const { platform } = search;
  if (search.production) {
    return `${commandLine("doctor")}   (without NODE_ENV=production, as the same user: it fetches the library into the cache)`;
  }
  if (platform.libc === "musl")
    return "use an image with glibc, such as debian:12-slim, instead of a musl one";
  if (platform.os === "darwin") return "brew install librdkafka";
  if (platform.os !== "linux") return "run Cauce on Linux with glibc (on Windows: in WSL)";
  return helps[0] ?? installCommand({ packages: ["python3-pip"], platform });
}

function nothingFound(failure: {
  tried: readonly TriedPlace[];
  help: string;
  platform: Platform;
}): CauceError {
  const { platform } = failure;
  const tested = platform.os === "linux" && platform.libc === "glibc" && platform.arch === "x64";
  return new CauceError(
    "library_unusable",
    [
      `No librdkafka ${OLDEST_ACCEPTED} or newer was found on this machine. Tried:`,
      ...failure.tried.map(({ title, reason }) => `  - ${title}: ${reason.replaceAll("\n", "\n      ")}`),
      ...(tested
        ? []
        : [`This is ${describePlatform(platform)}; Cauce is tested on Linux x64 with glibc only.`]),
      `What helps: ${failure.help}`,
    ].join("\n"),
  );
}
