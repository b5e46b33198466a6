/**
 * `cauce migrate`: brings the runtime's tables and the application's to this version, and ends.
 *
 * In: the settings of the database. Out: an exit code; for a job that runs before a rollout. Processes migrate at their
 * start too: whoever comes first does it, the others find it done. Never here: topics, handlers, a database that is embedded.
 */
import { runtimeSettings } from "../config/runtime-settings.ts";
import { readSettings } from "../config/settings.ts";
import { systemClock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import { loadProject } from "../main/project.ts";
import { migrate } from "../store/migrate.ts";
import { reached } from "../store/reach.ts";
import type { CommandOptions } from "./run-handlers.ts";
import { untilSignal } from "./until-signal.ts";

/** @throws CauceError `config_invalid` without DATABASE_URL, `database` when a statement is refused, `aborted` by a signal. */
export async function migrateAll({ environment, projectDir, console }: CommandOptions): Promise<number> {
  const settings = readSettings(runtimeSettings, environment);
  if (settings.databaseUrl === undefined)
    throw new CauceError(
      "config_invalid",
      "migrate needs DATABASE_URL: an embedded database migrates itself",
    );
  const { databaseDirectUrl: url = settings.databaseUrl, databaseSchema: schema } = settings;
  const { application } = await loadProject(projectDir);
  const { log } = console;
  let versions: readonly number[] = [];
  const migrating = async () => {
    versions = await migrate({ url, schema, log });
  };
  await reached(migrating, { clock: systemClock, log, signal: untilSignal(), waiting: undefined });
  await application.migrate?.({ url, schema });
  log.info("all tables are of this version", {
    schema,
    applied: versions.join(", ") || "nothing was left to do",
  });
  return 0;
}
