/**
 * librdkafka from the `confluent-kafka` Python wheel: one self-contained file that needs nothing but glibc.
 *
 * In: the platform and the cache. Out: the library's path in the cache. The wheel is pinned by version and sha256,
 * the library inside it by its own sha256. pip downloads, nothing of the wheel is ever run or installed.
 * Never here: other versions than the pinned one, platforms without a pin.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installDebianPackages } from "../../provision/apt.ts";
import { holdLock } from "../../provision/lock.ts";
import { mayUseApt, type Platform } from "../../provision/platform.ts";
import { runStep, type Report } from "../../provision/step.ts";
import { sha256Of, type LibraryCache } from "./cache.ts";
import type { LibraryPlace, Offer } from "./place.ts";

interface WheelPin {
  /** pip's name of the platform. */
  readonly platform: string;
  readonly wheelSha256: string;
  /** The library's path inside the wheel. */
  readonly file: string;
  readonly fileSha256: string;
}

const WHEEL_VERSION = "2.16.1";
const LIBRARY_VERSION = "2.16.0";
/** Any CPython's wheel carries the same library; one is pinned so that the local Python's version does not matter. */
const PYTHON_TAG = "312";

const PINS: Readonly<Record<string, WheelPin>> = {
  x64: {
    platform: "manylinux_2_28_x86_64",
    wheelSha256: "fdb2c4d53e84e10f4e567f4e74bba45d0ce90276b81259c3fc58df6960caabf5",
    file: "confluent_kafka.libs/librdkafka-0cb94173.so.1",
    fileSha256: "2cabc03797de87512aa91effc6cd6ae8b07be37b1ac99344b3d18f68ce10b1fa",
  },
  arm64: {
    platform: "manylinux_2_28_aarch64",
    wheelSha256: "9deb0aa8920d567d09dd6258db6428f16ab9d229ee93aaf35a014aec771c2500",
    file: "confluent_kafka.libs/librdkafka-1e1b45fc.so.1",
    fileSha256: "71b96e48199f9a4c4b172145be1322ff743a71f25c4aa8cafb6373a259377ba6",
  },
};

/** pip's two tries with back-off end well before this. */
const PIP_TIMEOUT_MS = 180_000;

export interface MakerOptions {
  readonly platform: Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cache: LibraryCache;
  readonly report: Report;
}

export function wheelPlace(options: MakerOptions): LibraryPlace {
  return {
    source: "wheel",
    title: `the confluent-kafka ${WHEEL_VERSION} Python wheel`,
    makes: true,
    async offer() {
      const pin = options.platform.libc === "glibc" ? PINS[options.platform.arch] : undefined;
      if (!pin) return { reason: "there is one only for Linux with glibc on x64 and arm64" };
      const lock = join(options.cache.folder, "fetch.lock");
      return await holdLock(
        { path: lock, title: "fetching librdkafka", report: options.report },
        async () => fetchedMeanwhile(options.cache, pin) ?? (await fetchWheel(options, pin)),
      );
    },
  };
}

/** Another process may have fetched it while this one waited for the lock. */
function fetchedMeanwhile(cache: LibraryCache, pin: WheelPin): Offer | null {
  const paths = cache.list().paths.filter((path) => path.includes(pin.fileSha256));
  return paths.length > 0 ? { paths } : null;
}

async function fetchWheel(options: MakerOptions, pin: WheelPin): Promise<Offer> {
  const missing = await ensurePip(options);
  if (missing) return missing;
  mkdirSync(options.cache.folder, { recursive: true });
  const folder = mkdtempSync(join(options.cache.folder, ".wheel-"));
  try {
    return await downloadAndUnpack({ ...options, pin, folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function downloadAndUnpack(work: MakerOptions & { pin: WheelPin; folder: string }): Promise<Offer> {
  const { pin, folder, env, report } = work;
  const requirements = join(folder, "requirements.txt");
  writeFileSync(requirements, `confluent-kafka==${WHEEL_VERSION} --hash=sha256:${pin.wheelSha256}\n`);
  const options =
    `--require-hashes --no-deps --only-binary=:all: --platform ${pin.platform} --python-version ${PYTHON_TAG} ` +
    `--implementation cp --abi cp${PYTHON_TAG} --retries 2 --timeout 20 --progress-bar off --disable-pip-version-check`;
  const command = [
    "python3",
    "-m",
    "pip",
    "download",
    ...options.split(" "),
    "--dest",
    folder,
    "-r",
    requirements,
  ];
  const title = `fetching librdkafka ${LIBRARY_VERSION} (the confluent-kafka ${WHEEL_VERSION} wheel, 5 MB) with pip`;
  const fetched = await runStep({ title, command, env, report, timeoutMs: PIP_TIMEOUT_MS });
  if (!fetched.ok) {
    const help = `python3 -m pip download --no-deps confluent-kafka==${WHEEL_VERSION}`;
    return { reason: fetched.reason, help: `${help}   (shows why pip cannot fetch it; then start again)` };
  }
  const wheel = `confluent_kafka-${WHEEL_VERSION}-cp${PYTHON_TAG}-cp${PYTHON_TAG}-${pin.platform}.whl`;
  const unpack = ["python3", "-m", "zipfile", "-e", join(folder, wheel), folder];
  const unpacked = await runStep({
    title: "unpacking it",
    command: unpack,
    env,
    report,
    timeoutMs: PIP_TIMEOUT_MS,
  });
  if (!unpacked.ok) return { reason: unpacked.reason };
  const file = join(folder, pin.file);
  const sha256 = sha256Of(file);
  if (sha256 !== pin.fileSha256) {
    return { reason: `the library in the wheel has sha256 ${sha256}, pinned is ${pin.fileSha256}` };
  }
  return { paths: [work.cache.keep(file, LIBRARY_VERSION)] };
}

/** Nothing where `python3 -m pip` works; else the reason, after trying to install it where we may. */
async function ensurePip({ platform, env, report }: MakerOptions): Promise<Offer | null> {
  if (await hasPip(env)) return null;
  const request = { packages: ["python3-pip"], why: "(to fetch librdkafka)", platform, env, report };
  if (!mayUseApt(platform)) {
    const refused = await installDebianPackages(request);
    return { reason: "python3 with pip is not installed", ...(refused.ok ? {} : { help: refused.help }) };
  }
  const installed = await installDebianPackages(request);
  if (!installed.ok) return { reason: installed.reason, help: installed.help };
  return (await hasPip(env)) ? null : { reason: "python3 -m pip does not work even after installing it" };
}

async function hasPip(env: MakerOptions["env"]): Promise<boolean> {
  const command = ["python3", "-m", "pip", "--version"];
  const probe = await runStep({
    title: "pip",
    command,
    env,
    report: () => undefined,
    timeoutMs: PIP_TIMEOUT_MS,
  });
  return probe.ok;
}
