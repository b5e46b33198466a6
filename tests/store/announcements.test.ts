/** Hearing of earlier rows: who announces, when nothing needs to be said, and a LISTEN that delivers nothing. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog, type Log } from "../../runtime/ground/log.ts";
import { announcements } from "../../runtime/store/announcements.ts";
import { connections } from "../../runtime/store/connection.ts";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import { createDatabase } from "../services/postgres.ts";
import { message } from "./messages.ts";

let url: string;
let store: PostgresStore;
let sql: postgres.Sql;
beforeAll(async () => {
  url = await createDatabase("store_announcements");
  store = await createPostgresStore({ url, app: "a" });
  sql = postgres(url, { max: 2, onnotice: () => undefined });
});
afterAll(async () => {
  await store.close();
  await sql.end();
});

/** Payloads heard on the channel, up to one of our own that marks the end. */
async function heardDuring(work: () => Promise<unknown>): Promise<readonly string[]> {
  const heard: string[] = [];
  const end = Promise.withResolvers<void>();
  const listening = await sql.listen("cauce_due", (payload) => {
    if (payload === "end") end.resolve();
    else if (!payload.startsWith("probe:")) heard.push(payload);
  });
  await work();
  await sql.notify("cauce_due", "end");
  await end.promise;
  await listening.unlisten();
  return heard;
}

test("a row is announced once per transaction, and only when it comes before what its topic waits for", async () => {
  const hour = 3_600_000;
  const at = (messageId: string, delayMs: number, topic = "n") => message({ messageId, delayMs, topic });
  expect(await heardDuring(() => store.schedule([at("1", hour), at("2", 2 * hour)]))).toEqual(["a"]);
  expect(await heardDuring(() => store.schedule([at("3", 3 * hour)]))).toEqual([]);
  expect(await heardDuring(() => store.schedule([at("4", hour / 2), at("5", hour / 3, "other")]))).toEqual([
    "a",
  ]);
  expect(await heardDuring(() => store.schedule([at("4", hour / 4)]))).toEqual([]);
});

test("a row that is known to be due within a second silences nobody: it may be gone before the new one is seen", async () => {
  await store.schedule([message({ messageId: "due", topic: "margin" })]);
  const later = message({ messageId: "later", topic: "margin", delayMs: 10_000 });
  expect(await heardDuring(() => store.schedule([later]))).toEqual(["a"]);
});

test("whoever inserts or moves a row with plain SQL announces it too", async () => {
  const insert = () => sql`
    INSERT INTO cauce.scheduled (app, handler, message_id, kind, topic, due_at)
    VALUES ('a', 'client', 'by hand', 'output', 'hand', now() + interval '1 day')`;
  expect(await heardDuring(insert)).toEqual([""]);
  const move = () => sql`UPDATE cauce.scheduled SET due_at = now() + interval '1 hour' WHERE topic = 'hand'`;
  expect(await heardDuring(move)).toEqual([""]);
  expect(
    await heardDuring(() => sql`UPDATE cauce.scheduled SET error = 'seen' WHERE topic = 'hand'`),
  ).toEqual([]);
});

test("a listener whose connection is killed listens again, and looks for what it missed", async () => {
  const calls = counter();
  const end = store.onEarlier(() => calls.count());
  await calls.reached(1);
  const kill = () => sql<{ killed: boolean }[]>`
    SELECT pg_terminate_backend(pid) AS killed FROM pg_stat_activity
    WHERE application_name = 'cauce listen' AND datname = current_database()`;
  expect((await kill()).length).toBe(1);
  // One call for having listened again: the row below may come before or after it.
  await calls.reached(2);
  await store.schedule([message({ messageId: "after", topic: "again", delayMs: 60_000 })]);
  await calls.reached(3);
  end();
});

test("a LISTEN that delivers nothing is found out, said once, and bridged by looking", async () => {
  const warnings: string[] = [];
  const infos: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: (event) => warnings.push(event),
    info: (event) => infos.push(event),
  };
  const pool = connections({ url, max: 1, name: "cauce probe" });
  const calls = counter();
  let swallow = true;
  const ears = announcements({
    url,
    schema: "cauce",
    app: "a",
    // As behind a pooler: what is sent never arrives at the listener.
    run: (text, parameters) => (swallow ? Promise.resolve([]) : pool.run(text, parameters)),
    clock: systemClock,
    log,
    limits: { probeTimeoutMs: 20, deafRecheckMs: 10, probeEveryMs: 30 },
    call: () => calls.count(),
    raised: () => undefined,
    resume: () => undefined,
  });
  await calls.reached(6);
  expect(ears.deaf).toBe(true);
  expect(warnings.length).toBe(1);
  expect(warnings[0]).toContain("direct address");
  swallow = false;
  while (ears.deaf) await Bun.sleep(5);
  expect(infos).toEqual(["notifications of the schedule arrive again"]);
  await ears.close();
  await pool.close();
});

function counter() {
  let count = 0;
  const waiting: { readonly at: number; readonly resolve: () => void }[] = [];
  return {
    count() {
      count++;
      for (const { at, resolve } of waiting) if (count >= at) resolve();
    },
    reached(at: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ at, resolve });
      if (count >= at) resolve();
      return promise;
    },
  };
}
