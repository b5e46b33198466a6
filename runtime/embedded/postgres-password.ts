/**
 * A new password for data whose old one is lost (its `server.json` was removed).
 *
 * In: a data directory on which no server runs. Out: the role's password is the new one. Done in Postgres's
 * single-user mode, which asks for none. Never here: a password on a command line; it goes in through stdin.
 */
import { join } from "node:path";
import { CauceError } from "../ground/errors.ts";
import { POSTGRES_USER, type StartOptions } from "./postgres-start.ts";
import { disownPidFile } from "./postmaster.ts";

const RESET_LIMIT_MS = 60_000;

/** @throws CauceError `embedded_failed` with the server's words. */
export async function resetPassword(options: StartOptions & { readonly password: string }): Promise<void> {
  const { place, binaries, password } = options;
  options.report(`PostgreSQL's data in ${place.dataDir} has lost its password; setting a new one …`);
  disownPidFile(place.dataDir);
  const child = Bun.spawn([join(binaries.bin, "postgres"), "--single", "-D", place.dataDir, "postgres"], {
    cwd: "/",
    env: {},
    stdin: new TextEncoder().encode(`ALTER ROLE ${POSTGRES_USER} PASSWORD '${password}'\n`),
    stdout: "ignore",
    stderr: "pipe",
    timeout: RESET_LIMIT_MS,
    ...place.account,
  });
  const complaint = (await new Response(child.stderr).text()).trim();
  if ((await child.exited) !== 0 || complaint.includes("ERROR")) {
    throw new CauceError(
      "embedded_failed",
      `the password of ${place.dataDir} could not be set anew:\n${complaint.replaceAll(password, "…")}`,
    );
  }
}
