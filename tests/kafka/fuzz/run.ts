/**
 * The shim's C code under the address and undefined-behaviour sanitizers: `bun run fuzz [SECONDS] [SEED]`.
 *
 * In: how long, a seed. Out: what the harness says. gcc is installed through apt where that is allowed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installDebianPackages } from "../../../runtime/provision/apt.ts";
import { readPlatform } from "../../../runtime/provision/platform.ts";

const root = join(import.meta.dir, "../../..");
const shim = join(root, "runtime/kafka/crossing.c");
const harness = join(import.meta.dir, "harness.c");

export interface FuzzRun {
  readonly passed: boolean;
  /** The harness's line, or what the sanitizer or a check complained of. */
  readonly output: string;
}

export interface FuzzOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Changes the shim's source first, to see a fault found. */
  readonly plant?: (source: string) => string;
}

/** @throws Error where there is no compiler and none may be installed, or where the source does not compile. */
export async function fuzz({ seconds, seed, plant = (source) => source }: FuzzOptions): Promise<FuzzRun> {
  await ensureCompiler();
  const folder = mkdtempSync(join(tmpdir(), "cauce-fuzz-"));
  try {
    const source = join(folder, "crossing.c");
    writeFileSync(source, plant(readFileSync(shim, "utf8")));
    const program = join(folder, "harness");
    const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    const warnings = ["-Wall", "-Wextra", "-Werror"];
    const compiled = await run([
      "gcc",
      "-g",
      "-O1",
      ...warnings,
      ...sanitizers,
      source,
      harness,
      "-o",
      program,
    ]);
    if (!compiled.passed) throw new Error(`the harness does not compile:\n${compiled.output}`);
    return await run([program, String(seed), String(seconds)]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** gcc, installed through apt where that is allowed. @throws Error where there is none. */
export async function ensureCompiler(): Promise<void> {
  if (Bun.which("gcc") !== null) return;
  const installed = await installDebianPackages({
    packages: ["gcc", "libc6-dev"],
    why: "to fuzz the shim",
    platform: readPlatform(),
    env: process.env,
    report: say,
  });
  if (!installed.ok) throw new Error(`${installed.reason}\nWhat helps: ${installed.help}`);
}

async function run(command: readonly string[]): Promise<FuzzRun> {
  const child = Bun.spawn([...command], { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { passed: code === 0, output: `${stdout}${stderr}`.trim() };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

if (import.meta.main) {
  const [seconds = "60", seed = String(Date.now() % 1_000_000)] = process.argv.slice(2);
  const { passed, output } = await fuzz({ seconds: Number(seconds), seed: Number(seed) });
  process.stdout.write(`${output}\n`);
  process.exit(passed ? 0 : 1);
}
