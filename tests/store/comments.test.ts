/** The database explains itself: whoever meets a table, a column, a view or a function there finds out what it is. */
import { expect, test } from "bun:test";
import postgres from "postgres";
import { silentLog } from "../../runtime/ground/log.ts";
import { migrate } from "../../runtime/store/migrate.ts";
import { createDatabase } from "../services/postgres.ts";

test("every table, view, column, function and trigger has a comment", async () => {
  const url = await createDatabase("store_comments");
  await migrate({ url, schema: "cauce", log: silentLog });
  const sql = postgres(url, { max: 1 });
  const bare = await sql<{ name: string }[]>`
    SELECT c.relname AS name FROM pg_class AS c
    WHERE c.relnamespace = 'cauce'::regnamespace AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL
    UNION ALL
    SELECT c.relname || '.' || a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'cauce'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
      AND col_description(c.oid, a.attnum) IS NULL
    UNION ALL
    SELECT p.oid::regprocedure::text FROM pg_proc AS p
    WHERE p.pronamespace = 'cauce'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
    UNION ALL
    SELECT t.tgname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'cauce'::regnamespace AND NOT t.tgisinternal AND obj_description(t.oid, 'pg_trigger') IS NULL`;
  await sql.end();
  expect(bare.map(({ name }) => name)).toEqual([]);
});
