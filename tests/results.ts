/**
 * What one test file came to, read from its JUnit report and from how its process ended.
 *
 * In: the report's path, the exit status, the output. Out: counts. A process that ends badly without a failed test
 * (a crash, an error at the top of the file), and a file without a single test, count as one failure.
 * Never here: running anything.
 */
export interface FileResults {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Titles of skipped tests that do not say why. */
  readonly skippedInSilence: readonly string[];
  /** Failures that belong to no test. */
  readonly problems: readonly string[];
  readonly output: string;
  readonly tookMs: number;
}

export interface FileRun {
  readonly file: string;
  /** Path of the JUnit report; missing when the process died or had no test. */
  readonly xml: string;
  /** Exit status, or the signal that ended the process. */
  readonly end: number | string;
  readonly tookMs: number;
  readonly output: string;
  /** Command lines of processes that it left behind. */
  readonly leftovers: readonly string[];
}

const REASON = /skipped because \S/i;

export async function readResults(run: FileRun): Promise<FileResults> {
  const report = Bun.file(run.xml);
  const cases = (await report.exists()) ? readCases(await report.text()) : [];
  const failedTests = cases.filter((test) => test.state === "failed").length;
  const problems = problemsOf(run, { tests: cases.length, failedTests });
  const skipped = cases.filter((test) => test.state === "skipped");
  return {
    file: run.file,
    passed: cases.filter((test) => test.state === "passed").length,
    failed: failedTests + problems.length,
    skipped: skipped.length,
    skippedInSilence: skipped.map((test) => test.title).filter((title) => !REASON.test(title)),
    problems,
    output: run.output,
    tookMs: run.tookMs,
  };
}

function problemsOf(run: FileRun, counts: { tests: number; failedTests: number }): string[] {
  const problems = run.leftovers.map((command) => `left running: ${command}`);
  if (typeof run.end === "string") problems.push(`the process of this file was ended by ${run.end}`);
  else if (run.end !== 0 && counts.failedTests === 0)
    problems.push(`the process of this file ended with status ${run.end}`);
  else if (run.end === 0 && counts.tests === 0) problems.push("this file ran no test");
  return problems;
}

interface TestCase {
  readonly title: string;
  readonly state: "passed" | "failed" | "skipped";
}

/** bun escapes every `<` and `"` inside attributes and texts, so the tags can be told apart by their form. */
function readCases(xml: string): TestCase[] {
  const form = /<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g;
  return [...xml.matchAll(form)].map(([, attributes = "", body = ""]) => ({
    title: ["classname", "name"]
      .map((name) => attribute(attributes, name))
      .filter((part) => part !== "")
      .join(" > "),
    state: /<(failure|error)\b/.test(body) ? "failed" : /<skipped\b/.test(body) ? "skipped" : "passed",
  }));
}

function attribute(attributes: string, name: string): string {
  const text = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  const entities: Record<string, string> = {
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&apos;": "'",
    "&amp;": "&",
  };
  return text.replaceAll(/&(lt|gt|quot|apos|amp);/g, (entity) => entities[entity] ?? entity);
}
