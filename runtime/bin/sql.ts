/**
 * `bun run sql`: one statement, or a prompt, where no psql is. Asks the configured database, else the embedded one.
 */
import { runtimeSettings } from "../config/runtime-settings.ts";
import { readSettings } from "../config/settings.ts";
import { attachPostgres } from "../embedded/postgres.ts";
import { stateFolderOf } from "../embedded/state.ts";
import { runSql } from "../store/sql-command.ts";
import type { CommandOptions } from "./run-handlers.ts";

export async function sql({
  environment,
  projectDir,
  arguments: words,
  console,
}: CommandOptions): Promise<number> {
  const { databaseUrl, stateDir } = readSettings(
    { databaseUrl: runtimeSettings.databaseUrl, stateDir: runtimeSettings.stateDir },
    environment,
  );
  const postgres =
    databaseUrl === undefined
      ? await attachPostgres({ stateDir: stateFolderOf(projectDir, stateDir), report: console.report })
      : null;
  const statement = words.join(" ").trim();
  try {
    return await runSql({
      url: databaseUrl ?? postgres?.url ?? "",
      ...(statement !== "" && { statement }),
      write: (line) => console.write(`${line}\n`),
    });
  } finally {
    await postgres?.close();
  }
}
