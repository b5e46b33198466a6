/**
 * Brings the application's tables up to date.
 *
 * In: an address. Out: tables as in schema/tables.ts. Any number of processes may call it at once: drizzle's migrator
 * takes no lock, so an advisory one is held around it, on a client that has one connection.
 */
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";
import { storageFailure } from "./failure.ts";

/** "cauce-qa" as a number; nobody else's lock. */
const MIGRATION_LOCK = 7_165_414_203;
const MIGRATIONS_FOLDER = new URL("../../../schema/migrations", import.meta.url).pathname;

/** @throws CauceError `unavailable` when the database is away, `database` when a statement was refused. */
export async function migrateTables(url: string): Promise<void> {
  const client = postgres(url, { max: 1, connect_timeout: 10, onnotice: () => {} });
  try {
    await client`select pg_advisory_lock(${MIGRATION_LOCK})`;
    await migrate(drizzle(client), {
      migrationsFolder: MIGRATIONS_FOLDER,
      migrationsSchema: "public",
      migrationsTable: "question_migration",
    });
    await client`select pg_advisory_unlock(${MIGRATION_LOCK})`;
  } catch (thrown) {
    throw storageFailure("migrating the application's tables", thrown);
  } finally {
    await client.end({ timeout: 2 });
  }
}
