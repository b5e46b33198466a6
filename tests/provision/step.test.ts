/** Outside commands and locks, with real processes. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { holdLock } from "../../runtime/provision/lock.ts";
import { runStep } from "../../runtime/provision/step.ts";

const folder = mkdtempSync(join(tmpdir(), "cauce-step-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function step(command: readonly string[], timeoutMs = 30_000) {
  const lines: string[] = [];
  const report = (line: string) => void lines.push(line);
  return { lines, result: runStep({ title: "trying", command, env: process.env, report, timeoutMs }) };
}

test("says what starts and how long it took, and hands back the output", async () => {
  const { lines, result } = step(["sh", "-c", "echo one; echo two >&2"]);
  const { ok, output } = await result;
  expect(ok).toBe(true);
  expect(output.split("\n").toSorted((a, b) => a.localeCompare(b))).toEqual(["one", "two"]);
  expect(lines).toEqual(["trying …", expect.stringMatching(/^trying: done in .+/)]);
});

test("a failure is data: the status and the last lines", async () => {
  const { lines, result } = step(["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done; exit 3"]);
  expect(await result).toMatchObject({
    ok: false,
    reason: "sh ended with status 3\nline 4\nline 5\nline 6\nline 7\nline 8\nline 9",
  });
  expect(lines.at(-1)).toMatch(/^trying: failed after/);
});

test("a program that is not there, or takes too long, is a failure with its name", async () => {
  expect(await step(["no-such-program-here"]).result).toMatchObject({
    ok: false,
    reason: expect.stringContaining("no-such-program-here could not be run"),
  });
  expect(await step(["sleep", "60"], 100).result).toMatchObject({
    ok: false,
    reason: "sleep was killed after 100 ms",
  });
});

const HOLDER = `
import { holdLock } from ${JSON.stringify(join(import.meta.dir, "../../runtime/provision/lock.ts"))};
await holdLock({ path: process.argv[2], title: "holding", report() {} }, async () => {
  console.log("held");
  // A promise that nothing can resolve would be collected, and the lock with it.
  await new Promise((resolve) => setTimeout(resolve, 3_600_000));
});`;

test("a lock is free again the moment its holder is killed", async () => {
  const path = join(folder, "killed.lock");
  const script = join(folder, "holder.ts");
  writeFileSync(script, HOLDER);
  const holder = Bun.spawn([process.execPath, script, path], { stdout: "pipe" });
  const reader = holder.stdout.getReader();
  await reader.read();
  const lines: string[] = [];
  const waited = holdLock(
    {
      path,
      title: "holding",
      report(line) {
        lines.push(line);
        holder.kill("SIGKILL");
      },
    },
    async () => "mine",
  );
  expect(await waited).toBe("mine");
  expect(lines).toEqual([expect.stringMatching(/^another process is holding; waiting for it … /)]);
});

test("work under one lock never overlaps, and a failure frees it", async () => {
  const path = join(folder, "deep", "one.lock");
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await Bun.sleep(1);
    inside--;
    throw new Error("done");
  };
  const options = { path, title: "counting", report: () => undefined };
  const all = [1, 2, 3].map(() => holdLock(options, work));
  const outcomes = await Promise.allSettled(all);
  expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(most).toBe(1);
});
