/** Format, lint and types of the whole tree, as tests, so that one command tells everything. */
import { expect, test } from "bun:test";
import { join } from "node:path";

const root = join(import.meta.dir, "..");

async function complaintsOf(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [printed, complaints, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return code === 0 ? "" : printed + complaints;
}

test("every file is formatted (bun run fmt)", async () => {
  expect(await complaintsOf([process.execPath, "fmt", "--no-script", "--check", "."])).toBe("");
});

test("the linter has nothing to say (bun run lint)", async () => {
  expect(await complaintsOf([process.execPath, "node_modules/oxlint/bin/oxlint", "--type-aware"])).toBe("");
});

test("the types hold (bun run types)", async () => {
  expect(await complaintsOf([process.execPath, "check", "--no-script"])).toBe("");
});
