/**
 * `bun run sql`: one SQL statement, or a prompt, where no psql is. Asks the configured database, else the embedded one.
 */
import { runSql } from "../store/sql-command.ts";
import { databaseAddress } from "./database-address.ts";
import type { CommandOptions } from "./run-handlers.ts";

export async function sql(options: CommandOptions): Promise<number> {
  const statement = options.arguments.join(" ").trim();
  const { url, schema, close } = await databaseAddress(options);
  try {
    return await runSql({
      url,
      schema,
      ...(statement !== "" && { statement }),
      write: (line) => options.console.write(`${line}\n`),
    });
  } finally {
    await close();
  }
}
