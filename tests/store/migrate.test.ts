/** Migrations on a real Postgres: several processes at once, nothing to do, newer databases, words for people. */
import { expect, test } from "bun:test";
import postgres from "postgres";
import { silentLog } from "../../runtime/ground/log.ts";
import { MIGRATIONS } from "../../runtime/store/migrations/index.ts";
import { migrate } from "../../runtime/store/migrate.ts";
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import { createDatabase } from "../services/postgres.ts";
import { rejectionOf } from "./rejection.ts";

const log = silentLog;

async function withSql<T>(url: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}

test("four migrators at once apply each version once", async () => {
  const url = await createDatabase("store_migrate");
  const applied = await Promise.all(Array.from({ length: 4 }, () => migrate({ url, schema: "cauce", log })));
  expect(applied.flat()).toEqual(MIGRATIONS.map(({ version }) => version));
  await withSql(url, async (sql) => {
    expect([...(await sql`SELECT version, name FROM cauce.migration ORDER BY version`)]).toEqual(
      MIGRATIONS.map(({ version, name }) => ({ version, name })),
    );
  });
  expect(await migrate({ url, schema: "cauce", log })).toEqual([]);
});

test("four processes at once start on an empty database", async () => {
  const url = await createDatabase("store_migrate_processes");
  const script = `
    import { createPostgresStore } from ${JSON.stringify(`${import.meta.dir}/../../runtime/store/postgres.ts`)};
    const store = await createPostgresStore({ url: ${JSON.stringify(url)}, app: "a" });
    console.log(await store.nextDueMs(["t"]));
    await store.close();`;
  const children = Array.from({ length: 4 }, () =>
    Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" }),
  );
  const texts = await Promise.all(children.map((child) => new Response(child.stdout).text()));
  expect(texts.map((text) => text.trim())).toEqual(Array(4).fill("null"));
  expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0, 0, 0]);
});

test("a database that is newer than this code is left alone", async () => {
  const url = await createDatabase("store_newer");
  await migrate({ url, schema: "cauce", log });
  await withSql(
    url,
    (sql) => sql`INSERT INTO cauce.migration (version, name) VALUES (999, 'from the future')`,
  );
  const store = await createPostgresStore({ url, app: "a" });
  expect(await store.nextDueMs(["t"])).toBeNull();
  await store.close();
});

test("two schemas in one database do not meet", async () => {
  const url = await createDatabase("store_schemas");
  const [one, two] = await Promise.all(
    ["one", "two"].map((schema) => createPostgresStore({ url, app: "a", schema })),
  );
  await one?.bury([]);
  await withSql(url, async (sql) => {
    expect((await sql`SELECT 1 FROM pg_namespace WHERE nspname IN ('one', 'two')`).length).toBe(2);
  });
  await Promise.all([one?.close(), two?.close()]);
});

test("every table, column, view and function says what it is", async () => {
  const url = await createDatabase("store_comments");
  await migrate({ url, schema: "cauce", log });
  const silent = await withSql(
    url,
    (sql) => sql<{ what: string }[]>`
      SELECT c.relname || '.' || a.attname AS what
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE c.relnamespace = 'cauce'::regnamespace AND c.relkind = 'r' AND col_description(c.oid, a.attnum) IS NULL
      UNION ALL
      SELECT relname FROM pg_class
      WHERE relnamespace = 'cauce'::regnamespace AND relkind IN ('r', 'v') AND obj_description(oid) IS NULL
      UNION ALL
      SELECT proname FROM pg_proc WHERE pronamespace = 'cauce'::regnamespace AND obj_description(oid) IS NULL`,
  );
  expect(silent.map(({ what }) => what)).toEqual([]);
});

test("an address that cannot be read and a schema that cannot be named are refused, without the password", async () => {
  const bad = createPostgresStore({ url: "postgres://ada:canary@:::/x", app: "a" });
  expect(await rejectionOf(bad)).toMatchObject({ code: "config_invalid" });
  await bad.catch((error: unknown) => expect(Bun.inspect(error)).not.toContain("canary"));
  const odd = createPostgresStore({ url: "postgres://h/x", app: "a", schema: 'x"; DROP' });
  expect(await rejectionOf(odd)).toMatchObject({ code: "config_invalid" });
  expect(await rejectionOf(createPostgresStore({ url: "postgres://h/x", app: "" }))).toMatchObject({
    code: "config_invalid",
  });
});
