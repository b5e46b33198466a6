/** What a person does to messages of a key that is held back: edit, cancel, through the views `schedule` and `held_message`. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import { createDatabase } from "../services/postgres.ts";
import { claimAll } from "./contract.ts";
import { bytes, message } from "./messages.ts";
import { rejectionOf } from "./rejection.ts";

let store: PostgresStore;
let sql: postgres.Sql;
beforeAll(async () => {
  const url = await createDatabase("store_hand_fences");
  store = await createPostgresStore({ url, app: "shop" });
  sql = postgres(url, { max: 1, onnotice: () => undefined });
});
afterAll(async () => {
  await store.close();
  await sql.end();
});

const fenced = (app: string, messageId: string) =>
  message({
    messageId: `${app}-${messageId}`,
    topic: app,
    record: { topic: app, key: bytes(app), value: bytes(messageId), headers: [] },
  });

test("a message at a fence, cancelled through the view lets the next one go; its edit comes along when it stands there again", async () => {
  await store.fences.raise([{ ...fenced("f1", "a"), delayMs: 3_600_000 }]);
  for (const id of ["b", "c"]) await store.fences.hold(fenced("f1", id));
  expect((await sql`DELETE FROM cauce.schedule WHERE topic = 'f1'`).count).toBe(1);
  await sql`UPDATE cauce.schedule SET value_text = 'B' WHERE topic = 'f1' AND value_text = 'b'`;
  const due = await claimAll(store, ["f1"]);
  expect(due.map(({ record }) => new TextDecoder().decode(record.value ?? undefined))).toEqual(["B", "c"]);
  const copies = await sql`SELECT value_text FROM cauce.held_message WHERE topic = 'f1' ORDER BY turn`;
  expect(copies.map((row) => String(row["value_text"]))).toEqual(["B", "c"]);
});

test("a message at a fence cannot change its key, and says what to do", async () => {
  await store.fences.raise([{ ...fenced("f2", "a"), delayMs: 3_600_000 }]);
  const error = await rejectionOf(sql`UPDATE cauce.schedule SET key_text = 'other' WHERE topic = 'f2'`);
  expect(error).toMatchObject({ code: "55006", hint: expect.stringContaining("DELETE") });
});

test("a held message can be edited and cancelled through its view, and comes unchecked", async () => {
  await store.fences.raise([fenced("f3", "a")]);
  for (const id of ["b", "c"]) await store.fences.hold(fenced("f3", id));
  expect(
    (await sql`UPDATE cauce.held_message SET value_text = 'B' WHERE topic = 'f3' AND value_text = 'b'`).count,
  ).toBe(1);
  expect((await sql`DELETE FROM cauce.held_message WHERE topic = 'f3' AND value_text = 'c'`).count).toBe(1);
  expect(await rejectionOf(sql`UPDATE cauce.held_message SET reason = 'x' WHERE topic = 'f3'`)).toMatchObject(
    { code: "0A000" },
  );
  const [a] = await claimAll(store, ["f3"]);
  if (a?.place) await store.fences.pass(a.place);
  const [b, ...more] = await claimAll(store, ["f3"]);
  expect(new TextDecoder().decode(b?.record.value ?? undefined)).toBe("B");
  expect(b?.byHand).toBeDefined();
  if (b?.place) await store.fences.pass(b.place);
  expect(more).toEqual([]);
  expect((await sql`SELECT FROM cauce.held_message WHERE topic = 'f3'`).count).toBe(0);
});

test("an edited version holds at the fence too, whether the message waits, is parked or is held", async () => {
  await store.fences.raise([{ ...fenced("f4", "a"), version: 2 }]);
  await store.fences.hold({ ...fenced("f4", "b"), version: 3 });
  const versions = async () =>
    (await sql`SELECT version FROM cauce.held_message WHERE topic = 'f4' ORDER BY turn`).map((row) =>
      Number(row["version"]),
    );
  expect(await versions()).toEqual([2, 3]);
  await sql`UPDATE cauce.schedule SET version = 4 WHERE topic = 'f4'`;
  expect(await versions()).toEqual([4, 3]);
  await store.claim({
    topics: ["f4"],
    limit: 1,
    publish: (due) => Promise.resolve(due.map((each) => ({ due: each, problem: "no" }))),
  });
  await sql`UPDATE cauce.schedule SET version = 5 WHERE topic = 'f4' AND problem IS NOT NULL`;
  expect(await versions()).toEqual([5, 3]);
});
