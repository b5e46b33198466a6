/**
 * A program that a test needs and that Debian packages: found on the machine, else installed where that is allowed.
 *
 * In: its name, which is its package's too. Out: its path, or an error that says what helps. Never here: starting it.
 */
import { installDebianPackages } from "../../runtime/provision/apt.ts";
import { readPlatform } from "../../runtime/provision/platform.ts";
import type { Report } from "../../runtime/provision/step.ts";

export interface DebianProgram {
  readonly program: string;
  /** For whoever reads what is installed, such as "(for the tests on a real Redis)". */
  readonly why: string;
}

/** Idempotent. */
export async function ensureDebianProgram(wanted: DebianProgram, report: Report): Promise<string> {
  const { program, why } = wanted;
  const present = pathOf(program);
  if (present !== null) return present;
  const installed = await installDebianPackages({
    packages: [program],
    why,
    platform: readPlatform(),
    env: process.env,
    report,
  });
  const path = pathOf(program);
  if (installed.ok && path !== null) return path;
  const reason = installed.ok ? "it was installed and is still not on the PATH" : installed.reason;
  const help = installed.ok ? "add its folder to the PATH" : installed.help;
  throw new Error(`the tests need ${program}: ${reason}\nWhat helps: ${help}`);
}

/** Servers lie in /usr/sbin, which is not on everybody's PATH. */
function pathOf(program: string): string | null {
  return Bun.which(program, { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` });
}
