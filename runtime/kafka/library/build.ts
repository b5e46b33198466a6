/**
 * librdkafka built from the C source that `@confluentinc/kafka-javascript` carries: the last resort, done once.
 *
 * In: the package's folder and the cache. Out: the library's path in the cache. The source is copied first; the
 * package stays as it was installed. About one minute on two cores (measured: 57 s with gcc 12).
 * Never here: the package's own install script, downloads of C sources, more than the C library.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { installDebianPackages } from "../../provision/apt.ts";
import { holdLock } from "../../provision/lock.ts";
import { mayUseApt } from "../../provision/platform.ts";
import { runStep } from "../../provision/step.ts";
import { versionText } from "./candidate.ts";
import type { LibraryPlace, Offer } from "./place.ts";
import type { MakerOptions } from "./wheel.ts";

/** The compiler and the headers that give the library TLS, gzip and zstd. */
const DEBIAN_PACKAGES = ["gcc", "g++", "make", "libc6-dev", "libssl-dev", "zlib1g-dev", "libzstd-dev"];
/** Kerberos and OIDC would pull in libraries that few machines have; lz4 is built in. */
const CONFIGURE_FLAGS = ["--disable-gssapi", "--disable-curl", "--disable-lz4-ext"];
/** The C library alone. `make libs` of the top folder also builds C++ and breaks when run in parallel. */
const TARGET = ["-C", "src", "librdkafka.so.1"];
const BUILD_TIMEOUT_MS = 20 * 60_000;

/** @param folder of `@confluentinc/kafka-javascript`, or null where it is not installed. */
export function buildPlace(folder: string | null, options: MakerOptions): LibraryPlace {
  return {
    source: "source",
    title: "the C source in @confluentinc/kafka-javascript",
    makes: true,
    async offer() {
      const source = folder === null ? null : join(folder, "deps", "librdkafka");
      if (source === null || !existsSync(source)) return { reason: "the package is not installed" };
      if (options.platform.libc !== "glibc") return { reason: "it is built only on Linux with glibc" };
      const lock = join(options.cache.folder, "build.lock");
      const version = sourceVersion(source);
      return await holdLock(
        { path: lock, title: `building librdkafka ${version}`, report: options.report },
        async () => builtMeanwhile(options, version) ?? (await build({ ...options, source, version })),
      );
    },
  };
}

/** Another process may have built it while this one waited for the lock. */
function builtMeanwhile({ cache }: MakerOptions, version: string): Offer | null {
  const paths = cache.list().paths.filter((path) => path.includes(`/${version}-`));
  return paths.length > 0 ? { paths } : null;
}

async function build(work: MakerOptions & { source: string; version: string }): Promise<Offer> {
  const missing = await ensureCompiler(work);
  if (missing) return missing;
  mkdirSync(work.cache.folder, { recursive: true });
  const folder = mkdtempSync(join(work.cache.folder, ".build-"));
  try {
    cpSync(work.source, folder, { recursive: true });
    const shared = { cwd: folder, env: work.env, report: work.report, timeoutMs: BUILD_TIMEOUT_MS };
    const configured = await runStep({
      ...shared,
      title: `configuring librdkafka ${work.version}`,
      command: ["bash", "./configure", ...CONFIGURE_FLAGS],
    });
    if (!configured.ok) return { reason: configured.reason };
    const made = await runStep({
      ...shared,
      title: `building librdkafka ${work.version} (about a minute on two cores, done once)`,
      command: ["make", `-j${cpus().length}`, ...TARGET],
    });
    if (!made.ok) return { reason: made.reason };
    return { paths: [work.cache.keep(join(folder, "src", "librdkafka.so.1"), work.version)] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Nothing where the compilers are there; else the reason, after trying to install them where we may. */
async function ensureCompiler({ platform, env, report }: MakerOptions): Promise<Offer | null> {
  const absent = ["bash", "gcc", "g++", "make"].filter(
    (program) => Bun.which(program, { PATH: env["PATH"] ?? "" }) === null,
  );
  if (absent.length === 0) return null;
  const request = { packages: DEBIAN_PACKAGES, why: "(to build librdkafka)", platform, env, report };
  const installed = await installDebianPackages(request);
  if (installed.ok) return null;
  const reason = mayUseApt(platform) ? installed.reason : `${absent.join(", ")} not installed`;
  return { reason, help: installed.help };
}

/** The version that the source says it is, "M.m.r". */
function sourceVersion(source: string): string {
  const header = readFileSync(join(source, "src", "rdkafka.h"), "utf8");
  const match = /^#define\s+RD_KAFKA_VERSION\s+0x([0-9a-f]{8})/m.exec(header);
  return match?.[1] === undefined ? "0.0.0" : versionText(Number.parseInt(match[1], 16));
}
