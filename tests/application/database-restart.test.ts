/** The application's pool when Postgres is restarted under load, and while nobody looks. */
import { expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { openDatabase, type Database } from "../../handlers/shared/storage/database.ts";
import { startPostgres } from "../services/postgres.ts";

/** One statement alone and one inside a transaction, as handlers and routes mix them. */
async function work(database: Database): Promise<void> {
  await database.run("trying", async (db) => {
    await db.execute(sql`select 1`);
    await db.transaction((tx) => tx.execute(sql`select 2`));
  });
}

test("a restart of Postgres fails what ran, and nothing after it", async () => {
  const server = await startPostgres();
  const database = openDatabase({ url: server.adminUrl });
  try {
    const failures: string[] = [];
    let restarted = false;
    const askers = Array.from({ length: 30 }, async () => {
      // Until one piece of work after the restart was done.
      for (let after = false; !after;) {
        after = restarted;
        await work(database).catch((thrown: unknown) => {
          failures.push(String(thrown));
          after = false;
        });
      }
    });
    await work(database);
    await server.restart("immediate");
    restarted = true;
    await Promise.all(askers);
    // A connection that is written to and never answers would be told by the deadline.
    expect(failures.filter((failure) => failure.includes("no answer within"))).toEqual([]);
    expect(failures.filter((failure) => !failure.startsWith("Unavailable"))).toEqual([]);

    await server.restart("fast");
    await work(database).catch(() => work(database));
  } finally {
    await database.close();
    await server.stop();
  }
}, 60_000);
