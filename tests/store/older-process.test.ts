/**
 * A process of an older release goes on while a newer one has migrated: its statements, as released with migrations 3 and 7, work on
 * the schema of today.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import { letterColumns, messageColumns } from "../../runtime/store/rows.ts";
import { fillIn } from "../../runtime/store/statements.ts";
import { createDatabase } from "../services/postgres.ts";
import { claimAll } from "./contract.ts";
import { letter, message } from "./messages.ts";

const released = (name: string, migration = "0003") =>
  fillIn(readFileSync(join(import.meta.dir, "released", `${migration}-${name}.sql`), "utf8"), "cauce");

let store: PostgresStore;
let sql: postgres.Sql;
beforeAll(async () => {
  const url = await createDatabase("store_older");
  store = await createPostgresStore({ url, app: "shop" });
  sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
});
afterAll(async () => {
  await store.close();
  await sql.end();
});

const noPlaces = "{NULL}";
const insert = (messageId: string) =>
  sql.unsafe(released("insert"), [
    "shop",
    ...messageColumns([message({ messageId })]),
    noPlaces,
    noPlaces,
  ] as string[]);

test("what an older process schedules, a newer one publishes as the runtime's own", async () => {
  expect(await insert("from-old")).toMatchObject([{ added: "0" }]);
  expect(await insert("from-old")).toMatchObject([{ added: null }]);
  const [due] = await claimAll(store, ["t"]);
  expect(due).toMatchObject({ messageId: "from-old" });
  expect(due?.byHand).toBeUndefined();
});

test("what a newer process schedules, an older one finds, claims and deletes", async () => {
  await store.schedule([message({ messageId: "from-new" })]);
  expect((await sql.unsafe(released("next-due"), ["shop", "{t}"]))[0]?.["next_ms"]).toBeLessThanOrEqual(0);
  const rows = await sql.begin(async (tx) => {
    const claimed = await tx.unsafe(released("claim"), ["shop", "{t}", "10", "-infinity"]);
    await tx.unsafe(released("delete-published"), [`{${String(claimed[0]?.["id"])}}`]);
    return claimed;
  });
  expect(rows).toMatchObject([{ message_id: "from-new" }]);
  expect(await claimAll(store, ["t"])).toEqual([]);
});

test("an older process raises fences and holds messages behind them, which a newer one sends", async () => {
  const stand = (raising: boolean, messageId: string) =>
    sql.unsafe(released("stand-at-fence", "0007"), [
      String(raising),
      "10",
      "shop",
      ...messageColumns([message({ messageId, topic: "fenced" })]),
    ] as string[]);
  expect(await stand(true, "first")).toMatchObject([{ standing: "raised" }]);
  expect(await stand(false, "second")).toMatchObject([{ standing: "held" }]);
  const [first] = await claimAll(store, ["fenced"], new Map([["fenced", 1]]));
  if (first?.place) await store.fences.pass(first.place);
  expect(await claimAll(store, ["fenced"])).toMatchObject([{ messageId: "second" }]);
});

test("dead letters of an older process can be redriven", async () => {
  await sql.unsafe(released("bury"), [
    "shop",
    ...letterColumns([letter({ messageId: "old-letter" })]),
  ] as string[]);
  expect(await sql`SELECT cauce.redrive('shop', handler => 'h')::int AS redriven`).toMatchObject([
    { redriven: 1 },
  ]);
  expect(await claimAll(store, ["t.h.retry"])).toMatchObject([{ messageId: "old-letter" }]);
});
