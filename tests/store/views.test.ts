/** What a person sees with psql: both views, whatever the bytes are. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import { createDatabase } from "../services/postgres.ts";
import { bytes, letter, message } from "./messages.ts";
import { rejectionOf } from "./rejection.ts";

let store: PostgresStore;
let sql: postgres.Sql;
beforeAll(async () => {
  const url = await createDatabase("store_views");
  store = await createPostgresStore({ url, app: "shop" });
  sql = postgres(url, { max: 1, onnotice: () => undefined });
});
afterAll(async () => {
  await store.close();
  await sql.end();
});

const VALUES: readonly (readonly [
  name: string,
  value: Uint8Array | null,
  text: string | null,
  json: unknown,
])[] = [
  ["json", bytes('{"id":"ñ","n":1}'), '{"id":"ñ","n":1}', { id: "ñ", n: 1 }],
  ["plain", bytes("hello"), "hello", null],
  ["null", null, null, null],
  ["empty", new Uint8Array(), "", null],
  ["nul", bytes("a\0b"), String.raw`a\000b`, null],
  ["invalid", new Uint8Array([0xff, 0x41]), String.raw`\377A`, null],
  ["json-nul", bytes(String.raw`{"a":"\u0000"}`), String.raw`{"a":"\u0000"}`, null],
  ["lone", bytes(String.raw`"\ud800"`), String.raw`"\ud800"`, null],
  ["deep", bytes("[".repeat(100_000)), "[".repeat(100_000), null],
];

test("the schedule is readable whatever the bytes are", async () => {
  await store.schedule(
    VALUES.map(([messageId, value]) =>
      message({
        messageId,
        delayMs: 90_000,
        reason: "rate_limit",
        error: "429 \0 \ud800",
        record: {
          topic: "t",
          key: new Uint8Array([0xfe]),
          value,
          headers: [
            ["ce_id", bytes(messageId)],
            ["a\0", new Uint8Array([0xff])],
            ["none", null],
          ],
        },
      }),
    ),
  );
  const rows = await sql`SELECT * FROM cauce.schedule ORDER BY id`;
  expect(rows.map((row) => [row["message_id"], row["value_text"], row["value_json"]])).toEqual(
    VALUES.map(([name, , text, json]) => [name, text, json]),
  );
  expect(rows[0]).toMatchObject({
    app: "shop",
    topic: "t",
    handler: "h",
    kind: "retry",
    key_text: String.raw`\376`,
    reason: "rate_limit",
    error: String.raw`429 \u0000 \ud800`,
    attempts: 1,
    delivery: 0,
    headers: { ce_id: "json", [String.raw`a\000`]: String.raw`\377`, none: null },
  });
  expect(rows[0]?.["due_in"]).toMatch(/^00:01:\d\d(\.\d+)?$/);
});

test("dead letters are readable in the same manner", async () => {
  await store.bury(
    VALUES.map(([messageId, value]) =>
      letter({ messageId, record: { topic: "t", key: null, value, headers: [] }, cause: "undecodable" }),
    ),
  );
  const rows = await sql`SELECT * FROM cauce.dead_letter ORDER BY id`;
  const shown = new Map(rows.map((row) => [row["message_id"], [row["value_text"], row["value_json"]]]));
  expect(shown).toEqual(new Map(VALUES.map(([name, , text, json]) => [name, [text, json]])));
  expect(rows[0]).toMatchObject({
    cause: "undecodable",
    error: "no JSON",
    partition: 0,
    offset: "12",
    key_text: null,
  });
});

test("old keys without a row are purged, young ones and those of waiting rows stay", async () => {
  await store.schedule(
    ["live", "gone-old", "gone-young"].map((messageId) => message({ messageId, topic: "p", delayMs: 9e6 })),
  );
  await sql`DELETE FROM cauce.scheduled WHERE message_id LIKE 'gone%'`;
  await sql`UPDATE cauce.schedule_key SET created_at = now() - interval '9 days' WHERE message_key IN ('live', 'gone-old')`;
  expect(await store.purgeKeys()).toBe(1);
  const keys =
    await sql`SELECT message_key FROM cauce.schedule_key WHERE message_key IN ('live', 'gone-old', 'gone-young')
    ORDER BY message_key`;
  expect(keys.map((row) => String(row["message_key"]))).toEqual(["gone-young", "live"]);
});

test("a message cannot be postponed to infinity, where no clock would ever find it", async () => {
  const attempt = sql`UPDATE cauce.scheduled SET due_at = 'infinity'`;
  expect(await rejectionOf(attempt)).toMatchObject({ code: "23514" });
});
