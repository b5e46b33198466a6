/** Schedulers on a real Postgres: several at once, never early, woken by events, through crashes of their backends. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import type { OutgoingRecord } from "../../runtime/bus/bus.ts";
import { startScheduler } from "../../runtime/scheduler/scheduler.ts";
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import { createDatabase } from "../services/postgres.ts";
import { message } from "../store/messages.ts";

const HOUR_MS = 3_600_000;
let url: string;
let sql: postgres.Sql;
beforeAll(async () => {
  url = await createDatabase("scheduler");
  sql = postgres(url, { max: 4, onnotice: () => undefined });
});
afterAll(() => sql.end());

const idOf = (record: OutgoingRecord) => new TextDecoder().decode(record.value ?? new Uint8Array());

/** Collects published ids; `all` resolves when `count` different ones were seen. */
function sink(count: number) {
  const ids: string[] = [];
  const seen = new Set<string>();
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const publish = async (records: readonly OutgoingRecord[]) => {
    await Bun.sleep(1);
    for (const id of records.map(idOf)) {
      ids.push(id);
      seen.add(id);
    }
    if (seen.size >= count) resolve();
  };
  return { ids, seen, all, publish };
}

test("four schedulers publish each row exactly once", async () => {
  const stores = await Promise.all(
    Array.from({ length: 4 }, () => createPostgresStore({ url, app: "four" })),
  );
  const { ids, all, publish } = sink(2_000);
  const schedulers = stores.map((store) => startScheduler({ store, publish, topics: ["t", "u"], batch: 50 }));
  const rows = Array.from({ length: 2_000 }, (_, index) =>
    message({ messageId: `m${index}`, topic: index % 2 ? "t" : "u", delayMs: index % 300 }),
  );
  await Promise.all(stores.map((store, part) => store.schedule(rows.slice(part * 500, part * 500 + 500))));
  await all;
  await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
  expect(ids.length).toBe(2_000);
  expect(new Set(ids).size).toBe(2_000);
  expect(await stores[0]?.nextDueMs(["t", "u"])).toBeNull();
  await Promise.all(stores.map((store) => store.close()));
});

test("no row is published before its due time by the database's clock", async () => {
  const store = await createPostgresStore({ url, app: "early" });
  const rows = Array.from({ length: 100 }, (_, index) =>
    message({ messageId: `e${index}`, delayMs: 20 + index * 7 }),
  );
  await store.schedule(rows);
  const due = new Map(
    (
      await sql<{ value_text: string; due_at: Date }[]>`
      SELECT value_text, due_at::text FROM cauce.schedule WHERE app = 'early'`
    ).map((row) => [row.value_text, row.due_at]),
  );
  const early: string[] = [];
  const { all, publish } = sink(100);
  const scheduler = startScheduler({
    store,
    topics: ["t"],
    recheckMs: HOUR_MS,
    async publish(records) {
      for (const id of records.map(idOf)) {
        const [row] = await sql`SELECT clock_timestamp() < ${String(due.get(id))}::timestamptz AS early`;
        if (row?.["early"]) early.push(id);
      }
      await publish(records);
    },
  });
  await all;
  expect(early).toEqual([]);
  await scheduler.stop();
  await store.close();
});

test("an earlier row of another process, or of someone at psql, wakes a scheduler that would sleep for an hour", async () => {
  const [store, other] = await Promise.all([1, 2].map(() => createPostgresStore({ url, app: "wake" })));
  if (!store || !other) throw new Error("no stores");
  await store.schedule(["far", "moved"].map((messageId) => message({ messageId, delayMs: HOUR_MS })));
  const first = sink(1);
  const second = sink(2);
  const heard = Promise.withResolvers<void>();
  const end = store.onEarlier(heard.resolve);
  const scheduler = startScheduler({
    store,
    topics: ["t"],
    recheckMs: HOUR_MS,
    publish: (records) => Promise.all([first.publish(records), second.publish(records)]),
  });
  await heard.promise;
  end();
  await other.schedule([message({ messageId: "near", delayMs: 30 })]);
  await first.all;
  expect(first.ids.length).toBe(1);
  await sql`UPDATE cauce.scheduled SET due_at = now() WHERE app = 'wake' AND message_id = 'moved'`;
  await second.all;
  expect([...second.seen].map((text) => (JSON.parse(text) as { id: string }).id)).toEqual(["near", "moved"]);
  await scheduler.stop();
  await Promise.all([store.close(), other.close()]);
});

test("schedulers whose connections are all killed, again and again, lose no row", async () => {
  const stores = await Promise.all([1, 2].map(() => createPostgresStore({ url, app: "storm" })));
  await stores[0]?.schedule(
    Array.from({ length: 600 }, (_, index) => message({ messageId: `s${index}`, delayMs: index })),
  );
  const { seen, all, publish } = sink(600);
  const schedulers = stores.map((store) =>
    startScheduler({ store, publish, topics: ["t"], batch: 20, recheckMs: 500 }),
  );
  const over = new AbortController();
  const killing = (async () => {
    while (!over.signal.aborted) {
      await sql`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name LIKE 'cauce %' AND datname = current_database()`;
      await Bun.sleep(150);
    }
  })();
  await all;
  over.abort();
  await killing;
  await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
  expect(seen.size).toBe(600);
  await Promise.all(stores.map((store) => store.close()));
});

test("a publish that fails at any step loses nothing, and what is repeated is the same", async () => {
  const store = await createPostgresStore({ url, app: "steps" });
  await store.schedule(Array.from({ length: 30 }, (_, index) => message({ messageId: `p${index}` })));
  const good = sink(30);
  let calls = 0;
  const scheduler = startScheduler({
    store,
    topics: ["t"],
    batch: 10,
    async publish(records) {
      calls++;
      // Not sent at all, and sent but not known to be.
      if (calls === 1) throw new Error("before the acknowledgement");
      await good.publish(records);
      if (calls === 3) throw new Error("after the acknowledgement");
    },
  });
  await good.all;
  await scheduler.stop();
  expect(good.seen.size).toBe(30);
  expect(good.ids.length).toBeLessThanOrEqual(40);
  expect(await store.schedule([message({ messageId: "p1" })])).toBe(0);
  await store.close();
});
