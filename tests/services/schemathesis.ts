/**
 * Schemathesis: reads an OpenAPI description, makes requests from it, and complains of answers that it does not allow.
 *
 * In: an address. Out: whether there were failures, and what it said. It is fetched once per user with pip, each wheel checked against
 * schemathesis.txt. Never here: what is described.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../../runtime/provision/cache-folder.ts";
import { holdLock } from "../../runtime/provision/lock.ts";
import { runStep, type Report } from "../../runtime/provision/step.ts";

export interface SchemathesisOptions {
  /** Of the description. */
  readonly url: string;
  /** Request headers, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** More words of its command line. */
  readonly options?: readonly string[];
  readonly report: Report;
}

const REQUIREMENTS = join(import.meta.dir, "schemathesis.txt");
/** 27 wheels, 13 MB. */
const INSTALL_TIMEOUT_MS = 5 * 60_000;

export async function runSchemathesis(
  work: SchemathesisOptions,
): Promise<{ readonly ok: boolean; readonly output: string }> {
  const folder = await ensureSchemathesis(work.report);
  const headers = Object.entries(work.headers ?? {}).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const child = Bun.spawn(
    [
      "python3",
      "-c",
      "from schemathesis.cli import schemathesis; schemathesis()",
      "run",
      work.url,
      "--no-color",
      ...headers,
      ...(work.options ?? []),
    ],
    {
      env: { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: "1" },
      cwd: folder,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [code, out, complaints] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { ok: code === 0, output: out + complaints };
}

/** Makes sure that it is there. Idempotent, and safe in several processes at once. @returns the folder of its packages. */
async function ensureSchemathesis(report: Report): Promise<string> {
  if (Bun.which("python3") === null)
    throw new Error("the tests of the API need python3 (3.11 or newer) with pip");
  const requirements = readFileSync(REQUIREMENTS, "utf8");
  const digest = new Bun.CryptoHasher("sha256").update(requirements).digest("hex").slice(0, 16);
  const parent = join(cacheFolder(process.env), "tests");
  const folder = join(parent, `schemathesis-${digest}`);
  const title = "preparing Schemathesis for the tests";
  return await holdLock({ path: join(parent, "schemathesis.lock"), title, report }, async () => {
    if (existsSync(folder)) return folder;
    mkdirSync(parent, { recursive: true });
    const half = mkdtempSync(join(parent, ".schemathesis-"));
    const installed = await runStep({
      title: "fetching Schemathesis (27 wheels, 13 MB) with pip",
      command:
        `python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes`
          .split(" ")
          .concat("--target", half, "-r", REQUIREMENTS),
      report,
      env: process.env,
      cwd: half,
      timeoutMs: INSTALL_TIMEOUT_MS,
    });
    if (!installed.ok) {
      rmSync(half, { recursive: true, force: true });
      throw new Error(
        `the tests of the API need Schemathesis, and pip could not fetch it: ${installed.reason}`,
      );
    }
    renameSync(half, folder);
    return folder;
  });
}
