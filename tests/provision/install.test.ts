/** The packages of a fresh checkout, installed by whichever command comes first. */
import { afterAll, expect, test } from "bun:test";
import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");
const folder = mkdtempSync(join(tmpdir(), "cauce-install-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const INSTALL_LIMIT_MS = 300_000;

/** A checkout without node_modules, with a command that needs a package. */
function freshCheckout(): string {
  const checkout = mkdtempSync(join(folder, "checkout-"));
  const files = ["package.json", "bun.lock", "bunfig.toml", "runtime/package.json"];
  const rooms = ["runtime/bin/install.ts", "runtime/provision", "runtime/ground"];
  for (const path of [...files, ...rooms])
    cpSync(join(root, path), join(checkout, path), { recursive: true });
  writeFileSync(
    join(checkout, "command.ts"),
    `import { ensureDependencies } from "./runtime/bin/install.ts";
     await ensureDependencies({ root: import.meta.dir, env: process.env, report: console.error });
     const { object } = await import("valibot");
     console.log(typeof object, process.argv.slice(2).join("|"));`,
  );
  return checkout;
}

async function runCommand(checkout: string, env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, "command.ts", "a b", "c"], {
    cwd: checkout,
    env: { ...process.env, ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [printed, said, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { printed, said, code };
}

test(
  "two commands started at once in a fresh checkout both work, and one of them installs",
  async () => {
    const checkout = freshCheckout();
    const both = await Promise.all([runCommand(checkout), runCommand(checkout)]);
    expect(both.map(({ printed, code }) => [printed, code])).toEqual([
      ["function a b|c\n", 0],
      ["function a b|c\n", 0],
    ]);
    const said = both.map((one) => one.said).join("");
    expect(said.match(/^installing the packages of bun.lock: done in /gm)).toHaveLength(1);

    // The next one has nothing to do, until what decides changes.
    expect(await runCommand(checkout)).toEqual({ printed: "function a b|c\n", said: "", code: 0 });
    appendFileSync(join(checkout, "bun.lock"), "\n");
    expect((await runCommand(checkout)).said).toContain("installing the packages of bun.lock: done in ");
  },
  INSTALL_LIMIT_MS,
);

test("with NODE_ENV=production nothing is installed, and missing packages are an error", async () => {
  const { said, code } = await runCommand(freshCheckout(), { NODE_ENV: "production" });
  expect(code).not.toBe(0);
  expect(said).toContain("node_modules is missing, and with NODE_ENV=production nothing is fetched");
  expect(said).toContain("bun install --frozen-lockfile --production");
});

test(
  "packages that cannot be fetched are an error with bun's own words",
  async () => {
    const env = { BUN_CONFIG_REGISTRY: "http://127.0.0.1:9/", BUN_INSTALL_CACHE_DIR: join(folder, "empty") };
    const { said, code } = await runCommand(freshCheckout(), env);
    expect(code).not.toBe(0);
    expect(said).toContain("the packages could not be installed: ");
    expect(said).toContain("What helps: bun install --frozen-lockfile");
  },
  INSTALL_LIMIT_MS,
);
