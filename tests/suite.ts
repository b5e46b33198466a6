/**
 * All test files, each in a process of its own, as many at once as there are cores.
 *
 * In: the tree. Out: totals. A process a file keeps a crash, a leak or a stray timer within its file, and a crash
 * counts as a failure. Real Kafka, Postgres and Redis are started once and shared through the environment.
 * Never here: reading one file's results (`results.ts`).
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { describeMs } from "../runtime/ground/duration.ts";
import type { Report } from "../runtime/provision/step.ts";
import { startServices } from "./services/all.ts";
import { endLeftovers, MARK_VARIABLE } from "./leftovers.ts";
import { readResults, type FileResults } from "./results.ts";

export interface SuiteOptions {
  readonly root: string;
  /** Parts of file names; none means all files, with the services started ahead. */
  readonly patterns: readonly string[];
  /** Runs format, lint, types and architecture first, and stops when one of them fails. */
  readonly quickFirst: boolean;
  readonly report: Report;
  /** Ends everything that runs, and starts nothing more. */
  readonly signal: AbortSignal;
}

export interface Totals {
  readonly ok: boolean;
  /** `N passed, N failed`, and `, N skipped` where some were. */
  readonly line: string;
}

const TEST_FILES = new Bun.Glob("{bench,deploy,handlers,runtime,schema,tests}/**/*.test.ts");
/** What is known in seconds, before anything is started. */
const QUICK_FILES = ["tests/static.test.ts", "tests/architecture.test.ts"];
/** One test's limit; single tests set their own. Generous, because two files share two cores. */
const TEST_TIMEOUT_MS = 60_000;
/** One file's limit: a file that hangs outside its tests is killed then. */
const FILE_TIMEOUT_MS = 10 * 60_000;
const MOST_AT_ONCE = 4;

export async function runSuite(options: SuiteOptions): Promise<Totals> {
  const chosen = chooseFiles(options);
  if (chosen.length === 0) return totalsOf([], ["no test file matches"], options.report);
  const quick = chosen.filter((file) => QUICK_FILES.includes(file));
  const rest = chosen.filter((file) => !QUICK_FILES.includes(file));
  const scratch = mkdtempSync(join(tmpdir(), "cauce-results-"));
  const work = { ...options, scratch };
  const results: FileResults[] = [];
  try {
    results.push(...(await runFiles({ ...work, files: quick, env: {} })));
    const stop = options.signal.aborted || (options.quickFirst && results.some((file) => file.failed > 0));
    if (!stop && rest.length > 0) {
      const services = options.patterns.length === 0 ? await startServices(options.report) : null;
      try {
        results.push(...(await runFiles({ ...work, files: rest, env: services?.env ?? {} })));
      } finally {
        await services?.stop();
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const complaints = options.signal.aborted ? [String(options.signal.reason)] : [];
  return totalsOf(results, complaints, options.report);
}

function chooseFiles({ root, patterns }: SuiteOptions): string[] {
  return [...TEST_FILES.scanSync({ cwd: root })]
    .filter((file) => !file.includes("node_modules/"))
    .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
    .toSorted();
}

interface FilesWork {
  readonly root: string;
  readonly files: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly scratch: string;
  readonly report: Report;
  readonly signal: AbortSignal;
}

async function runFiles(work: FilesWork): Promise<FileResults[]> {
  const waiting = [...work.files];
  const results: FileResults[] = [];
  const runner = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      if (work.signal.aborted) return;
      const result = await runFile(work, file);
      results.push(result);
      showFile(result, work.report);
    }
  };
  await Promise.all(Array.from({ length: Math.min(MOST_AT_ONCE, cpus().length) }, runner));
  return results;
}

async function runFile({ root, env, scratch, signal }: FilesWork, file: string): Promise<FileResults> {
  const startMs = performance.now();
  const xml = join(scratch, `${file.replaceAll("/", "-")}.xml`);
  // A file, not a pipe: a process that is left behind would hold a pipe open for ever.
  const log = `${xml}.log`;
  const output = openSync(log, "a");
  const mark = crypto.randomUUID();
  const child = Bun.spawn(
    [
      process.execPath,
      "test",
      `--timeout=${TEST_TIMEOUT_MS}`,
      "--reporter=junit",
      `--reporter-outfile=${xml}`,
      `./${file}`,
    ],
    {
      cwd: root,
      // With CI set, bun refuses a forgotten `test.only`.
      env: { ...process.env, CI: "true", ...env, [MARK_VARIABLE]: mark },
      stdin: "ignore",
      stdout: output,
      stderr: output,
      timeout: FILE_TIMEOUT_MS,
      signal,
      killSignal: "SIGKILL",
    },
  );
  await child.exited;
  closeSync(output);
  const tookMs = performance.now() - startMs;
  const end = child.signalCode ?? child.exitCode ?? 1;
  const leftovers = (await endLeftovers(mark)).map(({ command }) => command);
  return await readResults({ file, xml, end, tookMs, leftovers, output: readFileSync(log, "utf8") });
}

function showFile(result: FileResults, report: Report): void {
  const counts = `${result.passed} passed${result.failed > 0 ? `, ${result.failed} failed` : ""}`;
  const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : "";
  const mark = result.failed > 0 ? "FAIL" : "ok  ";
  report(`${mark} ${result.file}: ${counts}${skipped} (${describeMs(result.tookMs)})`);
  if (result.failed > 0) report(indent(result.output));
  for (const problem of result.problems) report(`     ${problem}`);
}

/** A skipped test fails the run unless its title says why. */
function totalsOf(results: readonly FileResults[], complaints: readonly string[], report: Report): Totals {
  const sum = (count: (file: FileResults) => number) =>
    results.reduce((total, file) => total + count(file), 0);
  const [passed, failed, skipped] = [sum((f) => f.passed), sum((f) => f.failed), sum((f) => f.skipped)];
  const unexplained = results.flatMap((file) =>
    file.skippedInSilence.map((title) => `${file.file}: ${title}`),
  );
  for (const title of unexplained) {
    report(`skipped without a reason (its title must say "skipped because …"): ${title}`);
  }
  for (const file of results.filter((one) => one.failed > 0)) report(`failed: ${file.file}`);
  for (const complaint of complaints) report(complaint);
  const line = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  return { ok: failed === 0 && passed > 0 && unexplained.length === 0 && complaints.length === 0, line };
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `     ${line}`)
    .join("\n");
}
