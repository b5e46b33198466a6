/**
 * Compiles the C programs against the librdkafka that Cauce would use.
 *
 * In: gcc, the located library, the header of the same major line from the addon's vendored source. Out: commands to run.
 * Never here: what the programs do.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { addonFolder } from "../../runtime/kafka/library/place.ts";

export const PROGRAMS = ["loop", "fill", "check", "chain", "probe", "hold"] as const;

export type Program = (typeof PROGRAMS)[number];

export interface Reference {
  /** The command of a program with its arguments, and the environment in which it finds the library. */
  command(
    program: Program,
    ...args: readonly (string | number)[]
  ): {
    readonly command: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  };
}

/** @throws Error with the compiler's words. */
export async function compileReference(
  programs: readonly Program[],
  library: string,
  folder: string,
): Promise<Reference> {
  await Promise.all(programs.map((program) => compile(program, library, folder)));
  return {
    command: (program, ...args) => ({
      command: [join(folder, program), ...args.map(String)],
      // A loaded library is found by its own name, wherever it lies.
      env: { LD_PRELOAD: library },
    }),
  };
}

async function compile(program: Program, library: string, folder: string): Promise<void> {
  const addon = addonFolder();
  const headers = addon === null ? "" : join(addon, "deps", "librdkafka", "src");
  if (!existsSync(join(headers, "rdkafka.h")))
    throw new Error("the C loop needs rdkafka.h of the package @confluentinc/kafka-javascript: bun install");
  const flags = ["-O2", "-Wall", "-Wextra", "-isystem", headers];
  const child = Bun.spawn(
    [
      "gcc",
      ...flags,
      join(import.meta.dir, `${program}.c`),
      library,
      "-lpthread",
      "-o",
      join(folder, program),
    ],
    { stdout: "inherit", stderr: "pipe" },
  );
  const complaints = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`gcc refused ${program}.c:\n${complaints}`);
}
