/**
 * What every place to find a librdkafka has in common, and the two that only look: the addon and the system.
 *
 * In: nothing but the file system. Out: paths to inspect, or a reason why there is none.
 * Never here: loading, fetching, building.
 */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { packageFolder } from "../../provision/package-folder.ts";
import type { Platform } from "../../provision/platform.ts";

/** Where a library came from, as banners and `doctor` name it. */
export type LibrarySource = "setting" | "addon" | "cache" | "system" | "wheel" | "source";

export type Offer =
  | { readonly paths: readonly string[]; readonly notes?: readonly string[] }
  | {
      readonly reason: string;
      /** The one command that would make this place work, where there is one. */
      readonly help?: string;
    };

/** One place to look, in the order that the search decides. */
export interface LibraryPlace {
  readonly source: LibrarySource;
  /** For people: "the system's librdkafka". */
  readonly title: string;
  /** Does it fetch or build? Such a place is never asked in production. */
  readonly makes: boolean;
  offer(): Promise<Offer>;
}

const PACKAGE = "@confluentinc/kafka-javascript";
/** The names that the package's own build and prebuilt files have used. */
const ADDON_FILES = [
  "build/Release/confluent-kafka-javascript.node",
  "build/Debug/confluent-kafka-javascript.node",
];

/** The folder of `@confluentinc/kafka-javascript`, or null where it is not installed. Its code is never run. */
export function addonFolder(): string | null {
  return packageFolder(PACKAGE, import.meta.dir);
}

/** The addon's `.node` file links librdkafka in and exports all of it. Only looked for, never built. */
export function addonPlace(folder: string | null): LibraryPlace {
  return {
    source: "addon",
    title: `the .node file of ${PACKAGE}`,
    makes: false,
    async offer() {
      if (folder === null) return { reason: "the package is not installed" };
      const paths = ADDON_FILES.map((file) => join(folder, file)).filter((path) => existsSync(path));
      return paths.length > 0 ? { paths } : { reason: "none was built or downloaded there" };
    },
  };
}

/** The system's library, in the folders where dynamic linkers look. */
export function systemPlace(platform: Platform, libraryPath: string | undefined): LibraryPlace {
  return {
    source: "system",
    title: "the system's librdkafka",
    makes: false,
    async offer() {
      const paths = systemFolders(platform, libraryPath)
        .map((folder) => fileIn(folder, platform))
        .filter((path) => path !== null);
      return paths.length > 0 ? { paths } : { reason: "none is installed" };
    },
  };
}

function systemFolders(platform: Platform, libraryPath: string | undefined): string[] {
  const named = (libraryPath ?? "").split(delimiter).filter((folder) => folder !== "");
  if (platform.os === "darwin") return [...named, "/opt/homebrew/lib", "/usr/local/lib"];
  const triplet = platform.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  const roots = ["/usr/local/lib", "/usr/lib", "/lib"];
  return [...named, ...roots.flatMap((root) => [join(root, triplet), root]), "/usr/lib64"];
}

function fileIn(folder: string, platform: Platform): string | null {
  const names =
    platform.os === "darwin"
      ? ["librdkafka.1.dylib", "librdkafka.dylib"]
      : ["librdkafka.so.1", "librdkafka.so"];
  return names.map((name) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}
