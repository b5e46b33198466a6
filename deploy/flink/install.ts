/**
 * Apache Flink on this machine: Python packages, connector jars and a home folder, fetched once per user and checked.
 *
 * In: nothing but the machine. Out: where Flink and its Python are. Every file that is fetched is pinned by its checksum
 * (requirements.txt, jars.sha256). About a minute and 900 MB the first time. Never here: starting anything.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { installDebianPackages } from "../../runtime/provision/apt.ts";
import { cacheFolder } from "../../runtime/provision/cache-folder.ts";
import { holdLock } from "../../runtime/provision/lock.ts";
import { describePlatform, readPlatform } from "../../runtime/provision/platform.ts";
import { runStep, type Report } from "../../runtime/provision/step.ts";

export interface FlinkProgram {
  /** FLINK_HOME: bin, conf, lib, opt, plugins. */
  readonly home: string;
  /** The Python that has Flink's packages. */
  readonly python: string;
  readonly javaHome: string;
}

const PINS = ["requirements.txt", "build-requirements.txt", "jars.sha256", "pom.xml"].map((name) =>
  join(import.meta.dir, name),
);
const [REQUIREMENTS = "", BUILD_REQUIREMENTS = "", JARS_SUMS = "", POM = ""] = PINS;
/** What the pins of requirements.txt are for. */
const PYTHON = "python3.11";
const FETCH_TIMEOUT_MS = 20 * 60_000;
const SHORT_TIMEOUT_MS = 5 * 60_000;

/** Idempotent, and safe in several processes at once. @throws Error that says what is missing and what helps. */
export async function ensureFlink(report: Report): Promise<FlinkProgram> {
  const pins = new Bun.CryptoHasher("sha256");
  for (const file of PINS) pins.update(readFileSync(file));
  const folder = join(cacheFolder(process.env), "flink", pins.digest("hex").slice(0, 16));
  if (!existsSync(join(folder, "home"))) {
    const lock = { path: `${folder}.lock`, title: "installing Apache Flink", report };
    await holdLock(lock, async () => {
      if (!existsSync(join(folder, "home"))) await install(folder, report);
    });
  }
  const java = Bun.which("java");
  if (java === null) throw new Error("Apache Flink needs Java 17 or newer: there is no java on the PATH");
  return {
    home: join(folder, "home"),
    python: join(folder, "python/bin/python"),
    javaHome: dirname(dirname(realpathSync(java))),
  };
}

/** The home comes last, by a rename: where it is, all else is. */
async function install(folder: string, report: Report): Promise<void> {
  const python = await ensurePrograms(report);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const step = async (title: string, command: readonly string[], timeoutMs = FETCH_TIMEOUT_MS) => {
    const done = await runStep({ title, command, report, env: process.env, cwd: folder, timeoutMs });
    if (!done.ok) throw new Error(`${title} went wrong: ${done.reason}`);
  };
  // A virtual environment cannot be moved: it is made where it stays.
  const venv = join(folder, "python");
  const pip = [join(venv, "bin/python"), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"];
  await step("making a Python environment for Flink", [python, "-m", "venv", venv], SHORT_TIMEOUT_MS);
  await step("fetching what builds Python packages", [...pip, "-r", BUILD_REQUIREMENTS]);
  await step("fetching Apache Flink 2.3.0 for Python (52 packages, 844 MB unpacked)", [
    ...pip,
    "--no-build-isolation",
    "-r",
    REQUIREMENTS,
  ]);
  const jars = join(folder, "jars");
  const maven = ["mvn", "-B", "-ntp", "-f", POM, "dependency:copy", `-DoutputDirectory=${jars}`];
  await step("fetching Flink's Kafka connector and model provider with Maven (2 jars, 41 MB)", maven);
  checkJars(jars);
  makeHome({ folder, jars, distribution: distributionIn(venv) });
}

async function ensurePrograms(report: Report): Promise<string> {
  const platform = readPlatform();
  if (platform.os !== "linux" || platform.arch !== "x64" || platform.libc !== "glibc") {
    throw new Error(
      `the pins of Flink's packages are for Linux x64 (glibc), not for ${describePlatform(platform)}`,
    );
  }
  const packages = [
    ...(Bun.which("java") === null ? ["openjdk-17-jre-headless"] : []),
    ...(Bun.which("mvn") === null ? ["maven"] : []),
    ...(hasVenv() ? [] : [PYTHON, `${PYTHON}-venv`]),
  ];
  if (packages.length > 0) {
    const why = "(for Apache Flink)";
    const installed = await installDebianPackages({ packages, why, platform, env: process.env, report });
    if (!installed.ok)
      throw new Error(
        `Apache Flink needs Java 17, Maven and ${PYTHON}: ${installed.reason}\nWhat helps: ${installed.help}`,
      );
  }
  return Bun.which(PYTHON) ?? PYTHON;
}

function hasVenv(): boolean {
  if (Bun.which(PYTHON) === null) return false;
  return Bun.spawnSync([PYTHON, "-c", "import ensurepip, venv"], { stdout: "ignore", stderr: "ignore" })
    .success;
}

/** Each jar of the list is there with its bytes. */
function checkJars(jars: string): void {
  for (const line of readFileSync(JARS_SUMS, "utf8").trim().split("\n")) {
    const [sum, name = ""] = line.split(/\s+/);
    const found = new Bun.CryptoHasher("sha256").update(readFileSync(join(jars, name))).digest("hex");
    if (found !== sum) throw new Error(`${name} is not the one of jars.sha256: it has ${found}`);
  }
}

/** The Python package carries the whole distribution. */
function distributionIn(venv: string): string {
  const [found] = [...new Bun.Glob("lib/python*/site-packages/pyflink/bin/flink").scanSync({ cwd: venv })];
  if (found === undefined) throw new Error("Flink's Python packages came without its distribution");
  return join(venv, dirname(dirname(found)));
}

function makeHome(work: { folder: string; jars: string; distribution: string }): void {
  const half = mkdtempSync(join(work.folder, ".home-"));
  for (const part of ["bin", "conf", "opt", "plugins"])
    cpSync(join(work.distribution, part), join(half, part), { recursive: true });
  mkdirSync(join(half, "lib"));
  for (const folder of [join(work.distribution, "lib"), work.jars])
    for (const name of readdirSync(folder)) symlinkSync(join(folder, name), join(half, "lib", name));
  for (const name of readdirSync(join(half, "bin"))) Bun.spawnSync(["chmod", "+x", join(half, "bin", name)]);
  renameSync(half, join(work.folder, "home"));
}
