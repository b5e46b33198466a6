/** What a reader and an operator may do, and that nobody else may. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import { createDatabase } from "../services/postgres.ts";
import { claimAll } from "./contract.ts";
import { letter, message } from "./messages.ts";
import { rejectionOf } from "./rejection.ts";

type Role = "reader" | "operator" | "stranger";

let store: PostgresStore;
let owner: postgres.Sql;
const sessions = new Map<Role, postgres.Sql>();
const tag = crypto.randomUUID().slice(0, 8);
beforeAll(async () => {
  const url = await createDatabase("store_rights");
  store = await createPostgresStore({ url, app: "shop" });
  owner = postgres(url, { max: 1, onnotice: () => undefined });
  for (const role of ["reader", "operator", "stranger"] as const) {
    const name = `${role}_${tag}`;
    await owner.unsafe(`CREATE ROLE ${name} LOGIN PASSWORD 'only-here'`);
    if (role !== "stranger") await owner.unsafe(`SELECT cauce.grant_${role}('${name}')`);
    const address = new URL(url);
    address.username = name;
    address.password = "only-here";
    sessions.set(role, postgres(address.href, { max: 1, onnotice: () => undefined }));
  }
});
afterAll(async () => {
  for (const session of sessions.values()) await session.end();
  for (const role of sessions.keys()) {
    await owner.unsafe(`DROP OWNED BY ${role}_${tag}`);
    await owner.unsafe(`DROP ROLE ${role}_${tag}`);
  }
  await owner.end();
  await store.close();
});

const run = async (role: Role, statement: string) => {
  const session = sessions.get(role);
  if (session === undefined) throw new Error(`nobody is logged in as ${role}`);
  return await session.unsafe(statement);
};
const DENIED = { code: "42501" };

const READS = ["schedule", "held_message", "dead_letter", "manual_change", "schedule_summary", "schedule_minutes", "schedule_oldest", "schedule_most_retried", "dead_letter_summary", "budgets"]; // prettier-ignore
const TABLES = [
  "scheduled",
  "parked",
  "schedule_key",
  "dead_letters",
  "fence",
  "held",
  "budget",
  "budget_use",
];
const WRITES = [
  "INSERT INTO cauce.schedule (app, topic, value_json, due_in) VALUES ('shop', 'made', '{}', '1 h')",
  "UPDATE cauce.schedule SET due_in = '2 h' WHERE topic = 'made'",
  "UPDATE cauce.schedule SET value_json = '7' WHERE topic = 'made'",
  "DELETE FROM cauce.schedule WHERE topic = 'made'",
  "UPDATE cauce.held_message SET value_text = '' WHERE false",
  "DELETE FROM cauce.dead_letter WHERE message_id = 'letter-1'",
  "SELECT cauce.retry_now('shop', topic => 'none')",
  "SELECT cauce.postpone('shop', '1 h', topic => 'none')",
  "SELECT cauce.cancel('shop', topic => 'none')",
  "SELECT cauce.redrive('shop', cause => 'undecodable')",
];
const WAYS_AROUND = [
  "DELETE FROM cauce.manual_change",
  "UPDATE cauce.manual_change SET who = 'nobody'",
  "SELECT cauce.note_change('insert', 'schedule', 1, NULL, '{}')",
  "SELECT cauce.release_held(1, 1)",
  "SELECT cauce.waiting_ids('shop', NULL, 'made', NULL, NULL, NULL, 10)",
];

describe("a reader", () => {
  test.each(READS)("reads %s", async (view) => {
    await store.schedule([message({ messageId: `for-${view}`, topic: "read", delayMs: 60_000 })]);
    expect((await run("reader", `SELECT * FROM cauce.${view}`)).length).toBeGreaterThanOrEqual(0);
  });
  test.each([...WRITES, ...WAYS_AROUND])("is denied %s", async (statement) => {
    expect(await rejectionOf(run("reader", statement))).toMatchObject(DENIED);
  });
});

describe("an operator", () => {
  test("uses the views and the moves, and each change bears the operator's name", async () => {
    await store.bury([letter({ messageId: "letter-1" }), letter({ messageId: "letter-2" })]);
    for (const statement of WRITES) await run("operator", statement);
    const changes = await owner`SELECT DISTINCT who FROM cauce.manual_change`;
    expect(changes.map((row) => String(row["who"]))).toEqual([`operator_${tag}`]);
    expect(await claimAll(store, ["t.h.retry"])).toMatchObject([{ messageId: "letter-2" }]);
  });
  test.each([...TABLES.map((table) => `SELECT * FROM cauce.${table}`), ...WAYS_AROUND])(
    "is denied %s",
    async (statement) => {
      expect(await rejectionOf(run("operator", statement))).toMatchObject(DENIED);
    },
  );
});

test.each([...READS, ...TABLES])("a stranger does not even see %s", async (table) => {
  expect(await rejectionOf(run("stranger", `SELECT * FROM cauce.${table}`))).toMatchObject(DENIED);
});

test("a function of the same name in somebody's own schema is not run with the owner's rights", async () => {
  await run("operator", "CREATE TEMP TABLE ran (who text)");
  await run(
    "operator",
    "CREATE FUNCTION pg_temp.readable(bytea) RETURNS text LANGUAGE sql AS $$ SELECT 'mine' $$",
  );
  await run("operator", "SET search_path = pg_temp, cauce, public");
  await run(
    "operator",
    "INSERT INTO cauce.schedule (app, topic, value_text, due_in) VALUES ('shop', 'own', 'theirs', '1 h')",
  );
  const edited = await run(
    "operator",
    "UPDATE schedule SET due_in = '2 h' WHERE topic = 'own' RETURNING value_text",
  );
  expect(edited[0]).toMatchObject({ value_text: "theirs" });
});
