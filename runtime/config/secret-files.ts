/**
 * Secrets from files: `DATABASE_URL_FILE=/run/secrets/database-url` stands for `DATABASE_URL` with that file's text.
 *
 * In: an environment. Out: the same with the files' texts under the plain names, so that whoever reads it (settings, what keeps
 * secrets out of logs) need not know. Never here: files for settings whose names are not those of secrets.
 */
import { readFileSync } from "node:fs";
import { CauceError, messageOf } from "../ground/errors.ts";
import type { Environment } from "./settings.ts";

/** Settings whose names say that they are secret, the application's among them: their values never reach a log. */
export const SECRET_NAME = /(PASSWORD|TOKEN|SECRET|API_KEY|DATABASE.*URL)$/;
const SUFFIX = "_FILE";

/**
 * White space around a file's text is cut off: editors and `echo` end it with a line break.
 * @throws CauceError `config_invalid` that lists every file that cannot be read or is empty, and every secret that is given twice.
 */
export function withSecretFiles(environment: Environment): Environment {
  const complaints: string[] = [];
  const result: Record<string, string | undefined> = { ...environment };
  for (const [variable, path] of Object.entries(environment)) {
    const name = variable.slice(0, -SUFFIX.length);
    if (!variable.endsWith(SUFFIX) || !SECRET_NAME.test(name) || !path) continue;
    try {
      const text = readFileSync(path, "utf8").trim();
      if (text === "") complaints.push(`${variable}: ${path} is empty`);
      // A supervised process inherits both, and they say the same.
      if (environment[name] && environment[name] !== text)
        complaints.push(`${name} and ${variable} are both set, and differ; one of them is enough`);
      result[name] = text;
    } catch (thrown) {
      complaints.push(`${variable}: ${path} cannot be read: ${messageOf(thrown)}`);
    }
  }
  if (complaints.length === 0) return result;
  throw new CauceError("config_invalid", `settings that cannot be used:\n  ${complaints.join("\n  ")}`);
}
