/**
 * Statements of the hot path: built by drizzle once, prepared by Postgres once a connection, and then only bound.
 *
 * Building one costs drizzle some 100 µs of CPU, and an unprepared one costs a second round trip: together most of what a question
 * costs at the door. In: a query with placeholders, by drizzle's builder or as SQL. Out: its text and its parameters in order. Never here: running it.
 */
import { fillPlaceholders, is, SQL } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";

export interface Statement<Values> {
  readonly text: string;
  /** The parameters, with values in the places of placeholders. */
  bind(values: Values): (string | number | null)[];
}

interface Built {
  toSQL(): { readonly sql: string; readonly params: readonly unknown[] };
}

/** `build` is called once, without a database; `sql.placeholder(name)` stands for a value of that name. */
export function statement<Values extends Readonly<Record<string, string | number | null>>>(
  build: (db: PostgresJsDatabase) => Built | SQL,
): Statement<Values> {
  const built = build(drizzle.mock());
  const { sql: text, params } = is(built, SQL) ? new PgDialect().sqlToQuery(built) : built.toSQL();
  return {
    text,
    bind: (values) => fillPlaceholders([...params], values) as (string | number | null)[],
  };
}
