/**
 * The database of a project's own command, as every command finds it. Loaded when it is called.
 */
import type { DatabaseAddress } from "../bin/database-address.ts";
import type { CommandOptions } from "../bin/run-handlers.ts";

/** The configured one, else the embedded one, which is started where it is not. @throws CauceError as `bun run sql` would. */
export async function commandDatabase(options: CommandOptions): Promise<DatabaseAddress> {
  return (await import("../bin/database-address.ts")).databaseAddress(options);
}
