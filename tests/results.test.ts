/** The runner's own honesty: what counts as passed, failed, skipped. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readResults } from "./results.ts";

const folder = mkdtempSync(join(tmpdir(), "cauce-results-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a file's text through `bun test` as the runner does, and reads the results. */
async function resultsOf(source: string, leftovers: readonly string[] = []) {
  const file = join(folder, `${crypto.randomUUID()}.test.ts`);
  const xml = `${file}.xml`;
  writeFileSync(file, `import { describe, expect, test } from "bun:test";\n${source}`);
  const child = Bun.spawn([process.execPath, "test", "--reporter=junit", `--reporter-outfile=${xml}`, file], {
    cwd: folder,
    stdout: "ignore",
    stderr: "ignore",
    env: { ...process.env, CI: "true" },
  });
  await child.exited;
  const end = child.signalCode ?? child.exitCode ?? 1;
  return await readResults({ file, xml, end, tookMs: 0, output: "", leftovers });
}

test("counts passed, failed and skipped tests, in groups too", async () => {
  const results = await resultsOf(`
    test("a > b", () => {});
    describe("group", () => {
      test("fails <&\\"", () => expect("</testcase><skipped />").toBe("x"));
      test.skip("odd, skipped because of the weather", () => {});
    });`);
  expect(results).toMatchObject({ passed: 1, failed: 1, skipped: 1, skippedInSilence: [], problems: [] });
});

test("names a skipped test, or a to-do, that does not say why", async () => {
  const results = await resultsOf(`
    test("runs", () => {});
    describe("g", () => test.skip("silent", () => {}));
    test.todo("later");`);
  expect(results.skippedInSilence).toEqual(["g > silent", "later"]);
});

test("counts a crash of the process as a failure", async () => {
  const results = await resultsOf(`test("dies", () => { process.kill(process.pid, "SIGKILL"); });`);
  expect(results).toMatchObject({ passed: 0, failed: 1 });
});

test("counts an error at the top of a file as a failure", async () => {
  expect(await resultsOf(`test("never", () => {}); throw new Error("top");`)).toMatchObject({ failed: 1 });
});

test("counts a file without a test, and a forgotten test.only, as a failure", async () => {
  expect(await resultsOf(`void [describe, expect, test];`)).toMatchObject({ passed: 0, failed: 1 });
  expect(await resultsOf(`test.only("x", () => {}); test("y", () => {});`)).toMatchObject({ failed: 1 });
});

test("counts an error after the last test as a failure", async () => {
  const results = await resultsOf(
    `import { afterAll } from "bun:test"; test("x", () => {}); afterAll(() => { throw new Error("end"); });`,
  );
  expect(results.failed).toBe(1);
});

test("counts a process that was left behind as a failure", async () => {
  const results = await resultsOf(`test("x", () => {});`, ["sleep 600"]);
  expect(results).toMatchObject({ passed: 1, failed: 1, problems: ["left running: sleep 600"] });
});
