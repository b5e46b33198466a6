/**
 * Where a command's database is: the configured one, else the embedded one of the project, which is started where it is not.
 *
 * In: the environment and the project's folder. Out: an address, the schema, and a way to let go. Never here: a connection.
 */
import { runtimeSettings } from "../config/runtime-settings.ts";
import { readSettings } from "../config/settings.ts";
import { attachPostgres } from "../embedded/postgres.ts";
import { stateFolderOf } from "../embedded/state.ts";
import type { CommandOptions } from "./run-handlers.ts";

export interface DatabaseAddress {
  readonly url: string;
  readonly schema: string;
  readonly close: () => Promise<void>;
}

/** @throws CauceError `config_invalid` for settings that cannot be used; what the embedded Postgres throws. */
export async function databaseAddress({
  environment,
  projectDir,
  console,
}: Pick<CommandOptions, "environment" | "projectDir" | "console">): Promise<DatabaseAddress> {
  const { databaseUrl, databaseSchema, stateDir } = readSettings(
    {
      databaseUrl: runtimeSettings.databaseUrl,
      databaseSchema: runtimeSettings.databaseSchema,
      stateDir: runtimeSettings.stateDir,
    },
    environment,
  );
  if (databaseUrl !== undefined)
    return { url: databaseUrl, schema: databaseSchema, close: () => Promise.resolve() };
  const postgres = await attachPostgres({
    stateDir: stateFolderOf(projectDir, stateDir),
    report: console.report,
  });
  return { url: postgres.url, schema: databaseSchema, close: () => postgres.close() };
}
