/** Moves by name, redriven dead letters, and the summaries that people look at first. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import { createDatabase } from "../services/postgres.ts";
import { claimAll } from "./contract.ts";
import { bytes, letter, message } from "./messages.ts";
import { rejectionOf } from "./rejection.ts";

let store: PostgresStore;
let sql: postgres.Sql;
beforeAll(async () => {
  const url = await createDatabase("store_hand_moves");
  store = await createPostgresStore({ url, app: "shop" });
  sql = postgres(url, { max: 2, onnotice: () => undefined });
});
afterAll(async () => {
  await store.close();
  await sql.end();
});

async function fill(topic: string, count: number): Promise<void> {
  const messages = Array.from({ length: count }, (_, at) =>
    message({
      messageId: `${topic}-${at}`,
      handler: at % 2 === 0 ? "even" : "odd",
      delayMs: 3_600_000 + at,
      reason: at < 3 ? "rate_limit" : "timeout",
      attempts: at,
      record: { topic, key: bytes(`k${at}`), value: bytes("{}"), headers: [] },
    }),
  );
  await store.schedule(messages);
}

/** What a move answers. */
async function answer(call: string): Promise<number> {
  const [row] = await sql.unsafe<{ touched: string }[]>(`SELECT cauce.${call} AS touched`);
  return Number(row?.touched);
}

describe("retry_now", () => {
  test("makes what is meant due, and says how many; a dry run touches none", async () => {
    await fill("r1", 6);
    expect(await answer("retry_now('shop', topic => 'r1', reason => 'rate_limit', dry_run => true)")).toBe(3);
    expect(await claimAll(store, ["r1"])).toEqual([]);
    expect(await answer("retry_now('shop', topic => 'r1', reason => 'rate_limit')")).toBe(3);
    expect((await claimAll(store, ["r1"])).length).toBe(3);
    expect(await answer("retry_now('shop', topic => 'r1', key => 'k3')")).toBe(1);
    expect(await answer("retry_now('shop', topic => 'r1', handler => 'even', most => 1)")).toBe(1);
    expect((await claimAll(store, ["r1"])).map(({ messageId }) => messageId).toSorted()).toEqual([
      "r1-3",
      "r1-4",
    ]);
    expect(await answer("retry_now('other', topic => 'r1')")).toBe(0);
  });

  test("spreads them over time at a rate, in their order", async () => {
    await fill("r2", 5);
    expect(await answer("retry_now('shop', topic => 'r2', per_second => 0.1)")).toBe(5);
    const rows = await sql<{ at: number }[]>`
      SELECT extract(epoch FROM due_at - first_value(due_at) OVER (ORDER BY due_at))::float8 AS at
      FROM cauce.schedule WHERE topic = 'r2' ORDER BY message_id`;
    expect(rows.map(({ at }) => Math.round(at))).toEqual([0, 10, 20, 30, 40]);
  });
});

test("postpone moves what is meant so much later, and what is late from now on", async () => {
  await fill("p1", 2);
  await sql`UPDATE cauce.schedule SET due_at = now() - interval '1 day' WHERE message_id = 'p1-0'`;
  expect(await answer("postpone('shop', '1 hour', topic => 'p1')")).toBe(2);
  const rows = await sql<{ hours: number }[]>`
    SELECT round(extract(epoch FROM due_in) / 3600)::int AS hours FROM cauce.schedule WHERE topic = 'p1' ORDER BY message_id`;
  expect(rows.map(({ hours }) => hours)).toEqual([1, 2]);
});

test("cancel ends what is meant, and the record keeps what it was", async () => {
  await fill("c1", 4);
  const [row] = await sql<{ id: string }[]>`SELECT id FROM cauce.schedule WHERE message_id = 'c1-0'`;
  expect(await answer(`cancel('shop', ids => ARRAY[${row?.id}])`)).toBe(1);
  expect(await answer("cancel('shop', topic => 'c1', handler => 'odd')")).toBe(2);
  const left = await sql`SELECT message_id FROM cauce.schedule WHERE topic = 'c1'`;
  expect(left.map((each) => String(each["message_id"]))).toEqual(["c1-2"]);
  const [kept] =
    await sql`SELECT action, before ->> 'message_id' AS id FROM cauce.manual_change WHERE row_id = ${row?.id ?? 0}`;
  expect(kept).toEqual({ action: "delete", id: "c1-0" });
});

test.each([
  "retry_now('shop')",
  "postpone('shop', '1 h')",
  "cancel('shop')",
  "redrive('shop')",
  "cancel(NULL, topic => 't')",
])("%s is refused: it does not say which messages", async (call) => {
  expect(await rejectionOf(answer(call))).toMatchObject({
    code: "22023",
    hint: expect.stringContaining("handler =>"),
  });
});

describe("redrive", () => {
  const dead = (messageId: string, more: Partial<Parameters<typeof letter>[0]> = {}) =>
    letter({
      messageId,
      cause: "TypeError",
      delivery: 2,
      record: {
        topic: "orders",
        key: bytes(messageId),
        value: bytes("{}"),
        headers: [["cauce_attempts", bytes("5")]],
      },
      ...more,
    });
  const RETRY = "orders.h.retry";

  test("sends letters back to their handler with no attempt spent, under their id, once", async () => {
    await store.bury([dead("d1"), dead("d2"), dead("d3", { cause: "undecodable" })]);
    expect(await answer("redrive('shop', handler => 'h', cause => 'TypeError', dry_run => true)")).toBe(2);
    expect(await answer("redrive('shop', handler => 'h', cause => 'TypeError')")).toBe(2);
    expect(await answer("redrive('shop', handler => 'h', cause => 'TypeError')")).toBe(0);
    const due = await claimAll(store, [RETRY]);
    expect(due).toMatchObject([
      { messageId: "d1", delivery: 3, attempts: 0, deferrals: 0, handler: "h", byHand: {} },
      { messageId: "d2", delivery: 3 },
    ]);
    expect(
      await sql`SELECT handler, cause, resting::int, redriven::int FROM cauce.dead_letter_summary ORDER BY cause`,
    ).toEqual([
      { handler: "h", cause: "TypeError", resting: 0, redriven: 2 },
      { handler: "h", cause: "undecodable", resting: 1, redriven: 0 },
    ] as never);
  });

  test("of a letter from the retry topic goes there, of the scheduler's to its topic, and a key at a rate", async () => {
    await store.bury([
      dead("d4", { record: { ...dead("d4").record, topic: RETRY } }),
      dead("d5", { handler: "scheduler", record: { ...dead("d5").record, topic: "mails" } }),
      dead("d6"),
      dead("d7", { record: { ...dead("d7").record, key: bytes("d6") } }),
    ]);
    expect(await answer("redrive('shop', key => 'd4')")).toBe(1);
    expect(await answer("redrive('shop', handler => 'scheduler')")).toBe(1);
    expect(await claimAll(store, [RETRY, "mails"])).toMatchObject([{ messageId: "d4" }, { messageId: "d5" }]);
    expect(await answer("redrive('shop', key => 'd6', per_second => 0.01)")).toBe(2);
    expect(await claimAll(store, [RETRY])).toMatchObject([{ messageId: "d6" }]);
  });

  test("of a letter that dies again leaves another one, which can be redriven too", async () => {
    await store.bury([dead("d8")]);
    expect(await answer("redrive('shop', key => 'd8')")).toBe(1);
    await store.bury([dead("d8", { delivery: 3 })]);
    expect(await answer("redrive('shop', key => 'd8')")).toBe(1);
    expect((await claimAll(store, [RETRY])).map(({ delivery }) => delivery)).toEqual([3, 4]);
  });

  test("a dead letter is removed through its view, and the record keeps it", async () => {
    await store.bury([dead("d9")]);
    expect((await sql`DELETE FROM cauce.dead_letter WHERE message_id = 'd9'`).count).toBe(1);
    expect(await sql`SELECT before ->> 'cause' AS cause FROM cauce.manual_change WHERE of_view = 'dead_letter' AND action = 'delete'`)
      .toEqual([{ cause: "TypeError" }] as never); // prettier-ignore
  });
});

describe("summaries", () => {
  test("say what waits per topic and reason, the minutes to come, the oldest, and who failed most", async () => {
    await sql`DELETE FROM cauce.schedule`;
    await fill("s1", 6);
    await fill("s2", 2);
    await sql`UPDATE cauce.schedule SET due_at = now() - interval '1 min' WHERE message_id = 's1-5'`;
    await sql`UPDATE cauce.schedule SET due_at = date_trunc('minute', now()) + interval '2.5 min' WHERE message_id IN ('s1-0', 's2-0')`;
    const summary = await sql`
      SELECT topic, reason, waiting::int, due::int, most_attempts FROM cauce.schedule_summary WHERE topic IN ('s1', 's2') ORDER BY 1, 2`;
    expect([...summary]).toEqual([
      { topic: "s1", reason: "rate_limit", waiting: 3, due: 0, most_attempts: 2 },
      { topic: "s1", reason: "timeout", waiting: 3, due: 1, most_attempts: 5 },
      { topic: "s2", reason: "rate_limit", waiting: 2, due: 0, most_attempts: 1 },
    ]);
    const minutes = await sql`SELECT minute, due::int, bar FROM cauce.schedule_minutes`;
    expect(minutes.length).toBe(61);
    expect(minutes[0]).toMatchObject({ minute: null, due: 1 });
    expect(minutes[3]).toMatchObject({ due: 2, bar: "#".repeat(60) });
    const [oldest] =
      await sql`SELECT message_id FROM cauce.schedule WHERE id = (SELECT id FROM cauce.schedule_oldest LIMIT 1)`;
    expect(oldest).toEqual({ message_id: "s1-5" });
    expect((await sql`SELECT attempts FROM cauce.schedule_most_retried LIMIT 1`)[0]).toEqual({ attempts: 5 });
  });

  test("walk the index, topic by topic, and read so many rows of each and no more", async () => {
    const planOf = async (view: string) =>
      (await sql.unsafe(`EXPLAIN SELECT * FROM cauce.${view}`))
        .map((row) => String(row["QUERY PLAN"]))
        .join("\n");
    await sql`ANALYZE cauce.scheduled`;
    for (const view of ["schedule_summary", "schedule_minutes", "schedule_oldest", "schedule_most_retried"]) {
      const plan = await sql.begin(async (tx) => {
        // The table of a test is small enough to be read whole; a large one is not.
        await tx`SET LOCAL enable_seqscan = off`;
        await tx`SET LOCAL enable_bitmapscan = off`;
        await tx`SET LOCAL enable_sort = off`;
        const rows = await tx.unsafe(`EXPLAIN SELECT * FROM cauce.${view}`);
        return rows.map((row) => String(row["QUERY PLAN"])).join("\n");
      });
      expect(plan).toMatch(/Limit[^]*Index (Only )?Scan using scheduled_claim/);
    }
    expect(await planOf("schedule_oldest")).toContain("topics_waiting");
  });
});
