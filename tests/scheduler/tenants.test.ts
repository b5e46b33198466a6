/** Several applications on one Postgres, and people who write into it: each scheduler publishes what is its own, checked. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { handler, topic } from "cauce";
import { createOutbox } from "cauce/outbox";
import postgres from "postgres";
import * as v from "valibot";
import type { OutgoingRecord } from "../../runtime/bus/bus.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { scheduledTopics } from "../../runtime/main/topic-plans.ts";
import { startScheduler } from "../../runtime/scheduler/scheduler.ts";
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import type { Misfit } from "../../runtime/store/store.ts";
import { createDatabase } from "../services/postgres.ts";
import { editByHand, writeByHand } from "../store/hands.ts";
import { watchSleep } from "../store/asleep.ts";
import { bytes, message } from "../store/messages.ts";

const HOUR_MS = 3_600_000;
const Order = v.looseObject({ id: v.string() });
const orders = topic("orders", { schema: Order, key: ({ id }) => id });
const ship = handler({ name: "ship", on: orders, handle() {} });
const others = topic("others", { schema: Order });

let url: string;
let sql: postgres.Sql;
beforeAll(async () => {
  url = await createDatabase("tenants");
  sql = postgres(url, { max: 4, onnotice: () => undefined });
});
afterAll(() => sql.end());

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** An application with one handler on `orders`, whose scheduler looks again in an hour by itself. */
async function application(app: string, schema = "cauce") {
  const store = await createPostgresStore({ url, app, schema });
  closers.push(() => store.close());
  const sent: { readonly id: string; readonly key: string }[] = [];
  const parked: Misfit[] = [];
  const waiting: { readonly done: () => boolean; readonly resolve: () => void }[] = [];
  const tell = () => waiting.filter(({ done }) => done()).forEach(({ resolve }) => resolve());
  const topics = scheduledTopics(app, [ship]);
  const listening = Promise.withResolvers<void>();
  const end = store.onEarlier(listening.resolve);
  await listening.promise;
  end();
  const watched = watchSleep(store);
  const asleep = watched.asleep();
  let underWay: typeof sent = [];
  const scheduler = startScheduler({
    store: watched.store,
    topics: [...topics.keys()],
    declared: { app, topics },
    recheckMs: HOUR_MS,
    log: silentLog,
    observe: {
      // After its commit.
      published() {
        sent.push(...underWay);
        tell();
      },
      parked(misfits) {
        parked.push(...misfits);
        tell();
      },
    },
    async publish(records: readonly OutgoingRecord[]) {
      underWay = records.map(({ headers, key }) => {
        const id = headers.find(([name]) => name === "ce_id")?.[1];
        return { id: String(Buffer.from(id ?? [])), key: String(Buffer.from(key ?? [])) };
      });
    },
  });
  closers.push(() => scheduler.stop());
  await asleep;
  return {
    store,
    sent,
    parked,
    until(done: () => boolean): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ done, resolve });
      tell();
      return promise;
    },
  };
}

const order = (messageId: string, more = {}) =>
  message({
    messageId,
    record: {
      topic: "orders",
      key: null,
      value: bytes('{"id":"7"}'),
      headers: [["ce_id", bytes(messageId)]],
    },
    ...more,
  });
const rows = async (app: string, schema = "cauce") =>
  (
    await sql<{ message_id: string }[]>`
    SELECT message_id FROM ${sql(schema)}.scheduled WHERE app = ${app} ORDER BY id`
  ).map((row) => row.message_id);

test("a scheduler publishes its own app's rows of declared topics, and leaves all others where they are", async () => {
  const shop = await application("shop");
  const theirs = await createPostgresStore({ url, app: "theirs" });
  closers.push(() => theirs.close());
  await theirs.schedule([order("theirs")]);
  await shop.store.schedule([
    order("undeclared", { record: { topic: others.name, key: null, value: null, headers: [] } }),
    order("mine"),
  ]);
  await writeByHand(sql, "theirs", order("their hand"));
  await writeByHand(sql, "shop", order("my hand"));
  await shop.until(() => shop.sent.length === 2);
  expect(shop.sent.map(({ id }) => id).toSorted()).toEqual(["mine", "my hand"]);
  expect(await rows("shop")).toEqual(["undeclared"]);
  expect(await rows("theirs")).toEqual(["theirs", "their hand"]);
});

test("two schemas in one database are two schedules, of apps with one name too", async () => {
  const [one, two] = [await application("twin"), await application("twin", "second")];
  await one.store.schedule([order("a")]);
  await two.store.schedule([order("a"), order("b")]);
  await Promise.all([one.until(() => one.sent.length === 1), two.until(() => two.sent.length === 2)]);
  expect(one.sent.map(({ id }) => id)).toEqual(["a"]);
  expect(two.sent.map(({ id }) => id)).toEqual(["a", "b"]);
});

test("a commit wakes a scheduler that would sleep for an hour, and what was sent in it goes out keyed", async () => {
  const shop = await application("commits");
  const outbox = createOutbox({ app: "commits" });
  await sql.begin(async (tx) => {
    await outbox(tx).send(orders, { id: "7" }, { id: "sent" });
    await outbox(tx).send(orders, { id: "8" }, { id: "sent too" });
  });
  await shop.until(() => shop.sent.length === 2);
  expect(shop.sent).toEqual([
    { id: "sent", key: "7" },
    { id: "sent too", key: "8" },
  ]);
});

test("a row that a person inserts goes out checked and keyed; one that does not fit is parked until it is put right", async () => {
  const app = "hands";
  const shop = await application(app);
  await sql.begin(async (tx) => {
    await writeByHand(
      tx,
      app,
      order("wrong", { record: { ...order("wrong").record, value: bytes('{"id":7}') } }),
    );
    await writeByHand(tx, app, order("right"));
  });
  await shop.until(() => shop.sent.length === 1 && shop.parked.length === 1);
  expect(shop.sent).toEqual([{ id: "right", key: "7" }]);
  const [parked] = await sql`SELECT message_id, problem, unchecked FROM cauce.parked WHERE app = ${app}`;
  expect({ ...parked }).toEqual({
    message_id: "wrong",
    problem: expect.stringContaining("not a value of orders: id: "),
    unchecked: true,
  });
  expect(await rows(app)).toEqual([]);
  await editByHand(sql, app, "wrong", '{"id":"9"}');
  await shop.until(() => shop.sent.length === 2);
  expect(shop.sent[1]).toEqual({ id: "wrong", key: "9" });
  expect((await sql`SELECT FROM cauce.parked WHERE app = ${app}`).length).toBe(0);
});

test("the key of a parked message is not purged: it may still come", async () => {
  const app = "purge";
  const shop = await application(app);
  await writeByHand(sql, app, order("old", { record: { ...order("old").record, value: bytes("no JSON") } }));
  await shop.until(() => shop.parked.length === 1);
  await sql`UPDATE cauce.schedule_key SET created_at = now() - interval '9 days' WHERE app = ${app}`;
  expect(await shop.store.purgeKeys()).toBe(0);
  expect(await shop.store.schedule([order("old")])).toBe(0);
});
