/**
 * One connection for a command, with the schema first in its search path.
 *
 * In: an address and what to ask. Out: the exit code that it answers, or 1 after saying what failed.
 */
import postgres from "postgres";
import { databaseFailure } from "./failure.ts";
import { STORE_LIMITS } from "./limits.ts";
import { checkedSchema } from "./statements.ts";

export interface AskDatabase {
  readonly url: string;
  readonly schema: string;
  /** How the session calls itself, for those who look at it and for the record of manual changes. */
  readonly program: string;
  readonly write: (line: string) => void;
}

/** Never rejects for what the database or the address does. */
export async function askDatabase(
  { url, schema, program, write }: AskDatabase,
  ask: (sql: postgres.Sql) => Promise<number>,
): Promise<number> {
  let sql: postgres.Sql;
  try {
    sql = postgres(url, {
      max: 1,
      fetch_types: false,
      connect_timeout: STORE_LIMITS.connectTimeoutMs / 1_000,
      connection: { application_name: program },
      onnotice: (notice) => write(`${notice["severity"] ?? "NOTICE"}: ${notice["message"] ?? ""}`),
    });
  } catch {
    write("The database's address cannot be read: expected postgres://user:password@host:5432/database");
    return 1;
  }
  try {
    await sql.unsafe(`SET search_path TO "${checkedSchema(schema)}", public`);
    return await ask(sql);
  } catch (error) {
    const { message } = databaseFailure(error);
    const unknown = error instanceof postgres.PostgresError && NOT_THERE.has(error.code);
    write(
      unknown
        ? `${message}; the tables in schema ${schema} are made, and brought up to date, when the handlers start`
        : message,
    );
    return 1;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** An undefined table, function, column, or schema: nobody has migrated yet. */
const NOT_THERE = new Set(["42P01", "42883", "42703", "3F000"]);
