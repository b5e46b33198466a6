/**
 * Makes up what docker-compose.yml needs in secrets: `bun deploy/write-credentials.ts /credentials`, before all else.
 *
 * In: a folder; POSTGRES_PASSWORD and REDIS_HTTP_TOKEN where somebody chose them. Out: `postgres-password`, `database-url` and
 * `redis-http-token` there. What is there already stays, unless it was chosen otherwise. Never here: anything printed of them.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CauceError } from "cauce";

export interface CredentialChoices {
  readonly postgresPassword?: string | undefined;
  readonly redisHttpToken?: string | undefined;
}

/** @throws CauceError `config_invalid` for a chosen password that is more than letters and digits: it becomes part of an address. */
export function writeCredentials(folder: string, chosen: CredentialChoices): void {
  const password = settle(folder, "postgres-password", chosen.postgresPassword);
  if (!/^[A-Za-z0-9]+$/.test(password))
    throw new CauceError("config_invalid", "POSTGRES_PASSWORD: expected letters and digits only");
  settle(folder, "redis-http-token", chosen.redisHttpToken);
  write(folder, "database-url", `postgres://cauce:${password}@postgres:5432/cauce`);
}

/** The chosen value, else the one that is there, else a new one; it is there afterwards. */
function settle(folder: string, name: string, chosen: string | undefined): string {
  const path = join(folder, name);
  const value =
    chosen || (existsSync(path) ? readFileSync(path, "utf8").trim() : randomBytes(24).toString("hex"));
  write(folder, name, value);
  return value;
}

/** Readable for the other users of the containers that mount the folder; the folder itself is in a volume of its own. */
function write(folder: string, name: string, text: string): void {
  const half = join(folder, `.${name}`);
  writeFileSync(half, `${text}\n`, { mode: 0o444 });
  renameSync(half, join(folder, name));
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) {
    process.stderr.write("usage: bun deploy/write-credentials.ts FOLDER\n");
    process.exitCode = 2;
  } else {
    writeCredentials(folder, {
      postgresPassword: process.env["POSTGRES_PASSWORD"],
      redisHttpToken: process.env["REDIS_HTTP_TOKEN"],
    });
    process.stdout.write(`credentials are in ${folder}\n`);
  }
}
