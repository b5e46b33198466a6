/**
 * Java, and the jars of a real Apache Kafka for it.
 *
 * In: nothing but the machine. Out: the `java` command and the folder of the jars, fetched once per user through
 * Maven and checked against kafka-jars.sha256. Java and Maven are installed through apt where that is allowed.
 * Never here: starting a broker.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { installDebianPackages } from "../../runtime/provision/apt.ts";
import { cacheFolder } from "../../runtime/provision/cache-folder.ts";
import { holdLock } from "../../runtime/provision/lock.ts";
import { readPlatform } from "../../runtime/provision/platform.ts";
import { runStep, type Report } from "../../runtime/provision/step.ts";

export interface KafkaProgram {
  readonly java: string;
  /** Folder of the jars; `<folder>/*` is the class path of the broker and of the console tools. */
  readonly jars: string;
}

const POM = join(import.meta.dir, "kafka-pom.xml");
const CHECKSUMS = join(import.meta.dir, "kafka-jars.sha256");
/** 92 jars, 54 MB; 6 s near a repository. */
const MAVEN_TIMEOUT_MS = 10 * 60_000;

/** Makes sure that Java, and the jars, are there. Idempotent, and safe in several processes at once. */
export async function ensureKafkaProgram(report: Report): Promise<KafkaProgram> {
  const folder = join(cacheFolder(process.env), "tests");
  const checksums = readFileSync(CHECKSUMS, "utf8");
  const jars = join(folder, `kafka-jars-${digest(checksums).slice(0, 16)}`);
  const java = Bun.which("java");
  if (java !== null && existsSync(jars)) return { java, jars };
  const title = "preparing Apache Kafka for the tests";
  return await holdLock({ path: join(folder, "kafka-jars.lock"), title, report }, async () => {
    await ensurePrograms(report);
    if (!existsSync(jars)) await fetchJars({ folder, jars, checksums, report });
    return { java: Bun.which("java") ?? "java", jars };
  });
}

async function ensurePrograms(report: Report): Promise<void> {
  const packages = [
    ...(Bun.which("java") === null ? ["openjdk-17-jre-headless"] : []),
    ...(Bun.which("mvn") === null ? ["maven"] : []),
  ];
  if (packages.length === 0) return;
  const why = "(for the tests on a real Apache Kafka)";
  const request = { packages, why, platform: readPlatform(), env: process.env, report };
  const installed = await installDebianPackages(request);
  if (!installed.ok) {
    throw new Error(
      `the tests need Java 17 or newer and Maven: ${installed.reason}\nWhat helps: ${installed.help}`,
    );
  }
}

async function fetchJars(work: {
  folder: string;
  jars: string;
  checksums: string;
  report: Report;
}): Promise<void> {
  mkdirSync(work.folder, { recursive: true });
  const half = mkdtempSync(join(work.folder, ".jars-"));
  try {
    const fetched = await runStep({
      title: "fetching Apache Kafka 4.3.1 (92 jars, 54 MB) with Maven",
      command: [
        "mvn",
        "-B",
        "-ntp",
        "-f",
        POM,
        "dependency:copy-dependencies",
        `-DoutputDirectory=${half}`,
        `-Dmdep.useBaseVersion=true`,
      ],
      env: process.env,
      cwd: half,
      report: work.report,
      timeoutMs: MAVEN_TIMEOUT_MS,
    });
    if (!fetched.ok) throw new Error(`Apache Kafka's jars could not be fetched: ${fetched.reason}`);
    checkJars(half, work.checksums);
    renameSync(half, work.jars);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

/** Each jar of the list is there with its bytes, and there is no other. */
function checkJars(folder: string, checksums: string): void {
  const expected = new Map(
    checksums
      .trim()
      .split("\n")
      .map((line) => line.split(/\s+/))
      .map(([sha256 = "", name = ""]) => [name, sha256]),
  );
  const found = new Map(
    [...new Bun.Glob("*.jar").scanSync(folder)].map((name) => [
      name,
      digest(readFileSync(join(folder, name))),
    ]),
  );
  const wrong = [...new Set([...expected.keys(), ...found.keys()])].filter(
    (name) => expected.get(name) !== found.get(name),
  );
  if (wrong.length > 0)
    throw new Error(`these jars are not the ones of kafka-jars.sha256: ${wrong.join(", ")}`);
}

function digest(bytes: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}
