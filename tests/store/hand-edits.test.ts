/** What a person, or a program in its own transaction, does to the view `schedule`: insert, edit, move, cancel. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import type { DueMessage, Misfit } from "../../runtime/store/store.ts";
import { createDatabase } from "../services/postgres.ts";
import { claimAll } from "./contract.ts";
import { bytes, message } from "./messages.ts";
import { rejectionOf } from "./rejection.ts";

let store: PostgresStore;
let sql: postgres.Sql;
beforeAll(async () => {
  const url = await createDatabase("store_hand_edits");
  store = await createPostgresStore({ url, app: "shop" });
  sql = postgres(url, { max: 4, onnotice: () => undefined, connection: { application_name: "a person" } });
});
afterAll(async () => {
  await store.close();
  await sql.end();
});

/** A runtime's own row on a topic of its own, and its id in the view. */
async function waiting(topic: string, more: Partial<Parameters<typeof message>[0]> = {}): Promise<number> {
  await store.schedule([message({ messageId: `${topic}-1`, topic, delayMs: 3_600_000, ...more })]);
  const [row] = await sql<{ id: string }[]>`SELECT id FROM cauce.schedule WHERE topic = ${topic}`;
  return Number(row?.id);
}

const rowOf = async (id: number) => (await sql`SELECT * FROM cauce.scheduled WHERE id = ${id}`)[0];
const changesOf = (id: number) =>
  sql`SELECT action, who, program, before, after FROM cauce.manual_change WHERE row_id = ${id} AND of_view = 'schedule' ORDER BY id`;

/** Claims all of a topic and says that each does not fit. */
async function park(topic: string, problem: string): Promise<void> {
  const misfits = (due: readonly DueMessage[]): Misfit[] => due.map((each) => ({ due: each, problem }));
  await store.claim({ topics: [topic], limit: 10, publish: (due) => Promise.resolve(misfits(due)) });
}

describe("INSERT", () => {
  test("needs an app, a topic and a value; the message is due now, unchecked, and has an id", async () => {
    const [made] = await sql`
      INSERT INTO cauce.schedule (app, topic, value_json) VALUES ('shop', 'i1', '{"n": 1}') RETURNING *`;
    expect(made).toMatchObject({
      handler: "sql",
      kind: "output",
      reason: "by hand",
      value_json: { n: 1 },
      delivery: 0,
    });
    const [due] = await claimAll(store, ["i1"]);
    expect(due).toMatchObject({ messageId: String(made?.["message_id"]), byHand: { version: null } });
    expect(new TextDecoder().decode(due?.record.value ?? undefined)).toBe('{"n": 1}');
    expect(await changesOf(Number(made?.["id"]))).toMatchObject([
      { action: "insert", who: "postgres", program: "a person", before: null, after: { topic: "i1" } },
    ]);
  });

  test("takes a key, headers, a time and an id, and the app from a setting", async () => {
    await sql.begin(async (tx) => {
      await tx`SET LOCAL cauce.app = 'shop'`;
      await tx`
        INSERT INTO cauce.schedule (topic, value_text, key_text, headers, due_in, message_id, handler)
        VALUES ('i2', 'plain', 'k', ${tx.json({ a: "1", none: null })}, '1 hour', ${String.raw`order\1`}, 'billing')`;
    });
    const [row] =
      await sql`SELECT *, due_at - now() > interval '59 minutes' AS later FROM cauce.schedule WHERE topic = 'i2'`;
    expect(row).toMatchObject({
      app: "shop",
      handler: "billing",
      key_text: "k",
      value_text: "plain",
      headers: { a: "1", none: null },
      message_id: String.raw`order\\1`,
      later: true,
    });
    await sql`UPDATE cauce.schedule SET due_at = now() WHERE topic = 'i2'`;
    expect((await claimAll(store, ["i2"]))[0]?.messageId).toBe(String.raw`order\1`);
  });

  test("of an id that was sent before reports no row, also after it was published", async () => {
    const send = () => sql`
      INSERT INTO cauce.schedule (app, topic, value_json, message_id) VALUES ('shop', 'i3', '{}', 'once')`;
    expect((await send()).count).toBe(1);
    expect((await send()).count).toBe(0);
    expect((await claimAll(store, ["i3"])).length).toBe(1);
    expect((await send()).count).toBe(0);
    expect(await claimAll(store, ["i3"])).toEqual([]);
  });

  test("in a transaction that is rolled back leaves nothing", async () => {
    const rolledBack = sql.begin(async (tx) => {
      await tx`INSERT INTO cauce.schedule (app, topic, value_json) VALUES ('shop', 'i4', '{}')`;
      throw new Error("no");
    });
    expect(await rejectionOf(rolledBack)).toMatchObject({ message: "no" });
    expect(await claimAll(store, ["i4"])).toEqual([]);
    expect((await sql`SELECT FROM cauce.manual_change WHERE after ->> 'topic' = 'i4'`).count).toBe(0);
  });

  test.each([
    ["(topic, value_json) VALUES ('t', '{}')", "23502", "an app and a topic"],
    [
      "(app, topic, value_json, value_text) VALUES ('shop', 't', '{}', 'x')",
      "22023",
      "value_text or as value_json",
    ],
    ["(app, topic, due_at, due_in) VALUES ('shop', 't', now(), '1 s')", "22023", "due_at or as due_in"],
    ["(app, topic, id) VALUES ('shop', 't', 1)", "0A000", "are not given"],
    ["(app, topic, kind) VALUES ('shop', 't', 'retry')", "0A000", "are not given"],
    ["(app, topic, headers) VALUES ('shop', 't', '[1]')", "22023", "one JSON object"],
    ["(app, topic, message_id) VALUES ('shop', 't', '')", "22023", "1 to 256 characters"],
    ["(app, topic, due_at) VALUES ('shop', 't', 'infinity')", "23514", "due_at"],
  ])("INSERT %s is refused and says why", async (words, code, why) => {
    const error = await rejectionOf(sql.unsafe(`INSERT INTO cauce.schedule ${words}`));
    expect(error).toMatchObject({ code });
    expect(String(error)).toContain(why);
  });
});

describe("UPDATE", () => {
  test("of the time moves a message and touches no byte of it", async () => {
    const odd = new Uint8Array([0, 0xff, 0x41]);
    const headers = [
      ["a\0", odd],
      ["a\0", null],
      ["b", odd],
    ] as const;
    const id = await waiting("u1", { record: { topic: "u1", key: odd, value: odd, headers } });
    expect((await sql`UPDATE cauce.schedule SET due_at = now() WHERE id = ${id}`).count).toBe(1);
    expect(await rowOf(id)).toMatchObject({ unchecked: false });
    const [due] = await claimAll(store, ["u1"]);
    const plain = (value: Uint8Array | null) => value && [...value];
    expect(plain(due?.record.key ?? null)).toEqual([...odd]);
    expect(plain(due?.record.value ?? null)).toEqual([...odd]);
    expect(due?.record.headers.map(([name, value]) => [name, plain(value)])).toEqual(
      headers.map(([name, value]) => [name, plain(value)]),
    );
    expect(due?.byHand).toBeUndefined();
  });

  test("of due_in counts from now", async () => {
    const id = await waiting("u2");
    await sql`UPDATE cauce.schedule SET due_in = '5 minutes' WHERE id = ${id}`;
    const [row] =
      await sql`SELECT due_at BETWEEN now() + '4 min' AND now() + '5 min' AS near FROM cauce.schedule WHERE id = ${id}`;
    expect(row?.["near"]).toBe(true);
  });

  test("of the value, as JSON or text, makes it one that is checked again, and keeps the rest", async () => {
    const id = await waiting("u3");
    await sql`UPDATE cauce.schedule SET value_json = value_json || '{"more": 1}' WHERE id = ${id}`;
    expect(await rowOf(id)).toMatchObject({ unchecked: true });
    await sql`UPDATE cauce.schedule SET value_text = replace(value_text, '1', '2'), due_at = now() WHERE id = ${id}`;
    const [due] = await claimAll(store, ["u3"]);
    expect(JSON.parse(new TextDecoder().decode(due?.record.value ?? undefined))).toEqual({
      id: "u3-2",
      more: 2,
    });
    expect(due).toMatchObject({ messageId: "u3-1", attempts: 1, byHand: {} });
    expect(await changesOf(id)).toMatchObject([
      {
        action: "update",
        before: { value_json: { id: "u3-1" } },
        after: { value_json: { id: "u3-1", more: 1 } },
      },
      { action: "update" },
    ]);
  });

  test("of headers keeps the bytes of those that stay, and their repeats", async () => {
    const odd = new Uint8Array([0xff]);
    const headers = [
      ["same", odd],
      ["same", bytes("2")],
      ["gone", odd],
      ["new", odd],
    ] as const;
    const id = await waiting("u4", { record: { topic: "u4", key: null, value: bytes("{}"), headers } });
    await sql`UPDATE cauce.schedule SET headers = headers - 'gone' || '{"new": "text", "more": null}', due_at = now() WHERE id = ${id}`;
    const [due] = await claimAll(store, ["u4"]);
    expect(
      due?.record.headers.map(([name, value]) => [name, value && Buffer.from(value).toString("latin1")]),
    ).toEqual([
      ["same", "\u00ff"],
      ["same", "2"],
      ["more", null],
      ["new", "text"],
    ]);
  });

  test.each([
    ["id = 7", "0A000"],
    ["message_id = 'x'", "0A000"],
    ["created_at = now()", "0A000"],
    ["value_text = 'x', value_json = '1'", "22023"],
    ["due_at = now(), due_in = '1 s'", "22023"],
    ["headers = '7'", "22023"],
    ["due_at = NULL", "23502"],
  ])("SET %s is refused, and the message stays as it was", async (set, code) => {
    const id = await waiting(`refused-${set}`);
    const before = await rowOf(id);
    expect(await rejectionOf(sql.unsafe(`UPDATE cauce.schedule SET ${set} WHERE id = ${id}`))).toMatchObject({
      code,
    });
    expect(await rowOf(id)).toEqual(before);
  });

  test("that changes nothing is no change", async () => {
    const id = await waiting("u5");
    await sql`UPDATE cauce.schedule SET value_text = value_text, due_at = due_at WHERE id = ${id}`;
    expect(await rowOf(id)).toMatchObject({ unchecked: false });
  });
});

describe("who comes too late", () => {
  /** A claim that holds the topic's due rows until it is let go. */
  async function held(topic: string) {
    const taken = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const claim = store.claim({
      topics: [topic],
      limit: 10,
      async publish() {
        taken.resolve();
        await go.promise;
      },
    });
    await taken.promise;
    return { claim, go };
  }

  /** Resolves when a session of the pool waits for a lock. */
  async function blocked(): Promise<void> {
    for (;;) {
      const rows = await sql`
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'a person' AND wait_event_type = 'Lock'`;
      if (rows.count > 0) return;
    }
  }

  test.each([
    ["UPDATE cauce.schedule SET value_json = '{}', due_at = now() + '1 h' WHERE topic = 'late'", "published"],
    ["DELETE FROM cauce.schedule WHERE topic = 'late'", "published"],
    ["UPDATE cauce.schedule SET value_json = '{}', due_at = now() + '1 h' WHERE topic = 'late'", "put back"],
    ["DELETE FROM cauce.schedule WHERE topic = 'late'", "put back"],
  ])("%s waits for a claim, and when the row is %s it does all or nothing", async (statement, end) => {
    const id = await waiting("late", { messageId: crypto.randomUUID(), delayMs: 0 });
    const { claim, go } = await held("late");
    const edit = sql.unsafe(statement).execute();
    await blocked();
    if (end === "published") {
      go.resolve();
      expect(await claim).toBe(1);
      expect((await edit).count).toBe(0);
    } else {
      go.reject(new Error("the broker is away"));
      expect(await rejectionOf(claim)).toMatchObject({ message: "the broker is away" });
      expect((await edit).count).toBe(1);
    }
    const changes = await sql`SELECT FROM cauce.manual_change WHERE row_id = ${id}`;
    expect(changes.count).toBe(end === "published" ? 0 : 1);
    await sql`DELETE FROM cauce.schedule WHERE topic = 'late'`;
    expect(await claimAll(store, ["late"])).toEqual([]);
  });

  test("of two who edit one message the second changes nothing of what it did not see", async () => {
    const id = await waiting("race");
    const first = await sql.reserve();
    await first`BEGIN`;
    await first`UPDATE cauce.schedule SET value_json = '{"by": "first"}' WHERE id = ${id}`;
    const second =
      sql`UPDATE cauce.schedule SET value_json = value_json || '{"by": "second"}' WHERE id = ${id}`.execute();
    await blocked();
    await first`COMMIT`;
    first.release();
    expect((await second).count).toBe(0);
    expect((await sql`SELECT value_json FROM cauce.schedule WHERE id = ${id}`)[0]).toEqual({
      value_json: { by: "first" },
    });
  });
});

describe("a parked message", () => {
  test("shows its problem, waits again when it is edited, and is cancelled by DELETE", async () => {
    await sql`INSERT INTO cauce.schedule (app, topic, value_json, message_id) VALUES ('shop', 'p1', '7', 'a'), ('shop', 'p1', '8', 'b')`;
    await park("p1", "it is a number");
    expect(
      await sql`SELECT message_id, problem FROM cauce.schedule WHERE topic = 'p1' ORDER BY id`,
    ).toMatchObject([
      { message_id: "a", problem: "it is a number" },
      { message_id: "b", problem: "it is a number" },
    ]);
    expect(await claimAll(store, ["p1"])).toEqual([]);
    const [edited] =
      await sql`UPDATE cauce.schedule SET value_json = '{}' WHERE topic = 'p1' AND message_id = 'a' RETURNING problem`;
    expect(edited).toEqual({ problem: null });
    expect((await sql`DELETE FROM cauce.schedule WHERE topic = 'p1' AND problem IS NOT NULL`).count).toBe(1);
    expect(await claimAll(store, ["p1"])).toMatchObject([{ messageId: "a", byHand: {} }]);
    expect((await sql`SELECT FROM cauce.schedule WHERE topic = 'p1'`).count).toBe(0);
  });
});

describe("schedulers are woken", () => {
  /** How many notifications a transaction caused. A last one, of our own, says that all before it have come. */
  async function heard(work: (tx: postgres.TransactionSql) => Promise<unknown>): Promise<number> {
    const payloads: string[] = [];
    const ended = Promise.withResolvers<void>();
    const listening = await sql.listen("cauce_due", (payload) =>
      payload === "end" ? ended.resolve() : payloads.push(payload),
    );
    await sql.begin(work);
    await sql`SELECT pg_notify('cauce_due', 'end')`;
    await ended.promise;
    await listening.unlisten();
    return payloads.length;
  }

  test("once a transaction, and only when a message will be due before all that its topic waits for", async () => {
    const first = await waiting("n");
    await sql`INSERT INTO cauce.schedule (app, topic, value_json, due_in) SELECT 'shop', 'n', '1', '2 h' FROM generate_series(1, 5)`;
    expect(
      await heard((tx) => tx`UPDATE cauce.schedule SET due_in = '3 h' WHERE topic = 'n' AND id <> ${first}`),
    ).toBe(0);
    expect(await heard((tx) => tx`UPDATE cauce.schedule SET value_json = '2' WHERE topic = 'n'`)).toBe(0);
    expect(
      await heard(
        (tx) =>
          tx`INSERT INTO cauce.schedule (app, topic, value_json, due_in) VALUES ('shop', 'n', '1', '5 h')`,
      ),
    ).toBe(0);
    expect(await heard((tx) => tx`DELETE FROM cauce.schedule WHERE topic = 'n' AND due_in > '4 h'`)).toBe(0);
    const several = async (tx: postgres.TransactionSql) => {
      await tx`UPDATE cauce.schedule SET due_in = '1 min' WHERE topic = 'n'`;
      await tx`INSERT INTO cauce.schedule (app, topic, value_json) VALUES ('shop', 'n', '1')`;
      await tx`SELECT cauce.retry_now('shop', topic => 'n')`;
    };
    expect(await heard(several)).toBe(1);
  });
});
