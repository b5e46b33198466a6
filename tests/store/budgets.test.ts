/** Budgets in a real Postgres: what people see of them, what a dead process leaves, what is forgotten. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import type { BudgetLimits } from "../../runtime/store/turns.ts";
import { createDatabase } from "../services/postgres.ts";

let store: PostgresStore;
let sql: postgres.Sql;
beforeAll(async () => {
  const url = await createDatabase("store_budgets");
  store = await createPostgresStore({ url, app: "shop" });
  sql = postgres(url, { max: 1, onnotice: () => undefined });
});
afterAll(async () => {
  await sql.end();
  await store.close();
});

const NO_NEWS = { running: 0, requests: 0, tokens: 0, refused: false, pauseMs: 0, turnMs: 0 };
const ask = async (budget: string, process: string, limits: BudgetLimits, turns: number) => {
  const wanted = Array.from({ length: turns }, () => ({ ticket: null, tokens: 0 }));
  const answers = await store.turns.take({ budget, process, limits, wanted, ...NO_NEWS });
  return answers.filter(({ granted }) => granted).length;
};

test("the view tells what is declared, what the pace is, and how many run and wait", async () => {
  await ask("seen", "one", { perMinute: 60, inFlight: 1 }, 5);
  const news = { ...NO_NEWS, running: 1, refused: true };
  await store.turns.take({
    budget: "seen",
    process: "one",
    limits: { perMinute: 60, inFlight: 1 },
    wanted: [],
    ...news,
  });
  const [row] = await sql`select * from cauce.budgets where app = 'shop' and name = 'seen'`;
  expect(row).toMatchObject({ per_minute: 60, in_flight: 1, running: "1", in_line: "4", refusals: "1" });
  expect(Number(row?.["pace"])).toBe(48);
});

test("turns of a process that is dead are free again", async () => {
  const limits = { inFlight: 2 };
  expect(await ask("dead", "killed", limits, 2)).toBe(2);
  expect(await ask("dead", "alive", limits, 1)).toBe(0);
  await sql`update cauce.budget_use set alive_until = now() where process = 'killed'`;
  expect(await ask("dead", "alive", limits, 1)).toBe(1);
});

test("a budget that nobody wants any more is forgotten, with its uses", async () => {
  await ask("gone", "one", { inFlight: 1 }, 1);
  await ask("kept", "one", { inFlight: 1 }, 1);
  await sql`update cauce.budget set raised_at = now() - interval '30 days' where name = 'gone'`;
  await store.purgeKeys();
  const left = await sql`select name from cauce.budget_use where name in ('gone', 'kept')
                         union select name from cauce.budget where name in ('gone', 'kept')`;
  expect(left.map(({ name }) => name as string)).toEqual(["kept"]);
});
