/** Messages in the caller's own transaction, on a real Postgres: by postgres.js, by drizzle, by Bun's own client. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { topic } from "cauce";
import { createOutbox, type Outbox, type Transaction } from "cauce/outbox";
import { drizzle } from "drizzle-orm/postgres-js";
import { sql as query } from "drizzle-orm";
import postgres from "postgres";
import * as v from "valibot";
import { placeOrder } from "../../docs/examples/outbox/place-order.ts";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import type { DueMessage } from "../../runtime/store/store.ts";
import { createDatabase } from "../services/postgres.ts";
import { claimAll } from "../store/contract.ts";
import { rejectionOf } from "../store/rejection.ts";

const orders = topic("orders", {
  schema: v.object({ id: v.string(), count: v.number() }),
  key: ({ id }) => id,
});
const plain = topic("plain", { schema: v.string(), version: 2 });

let url: string;
let sql: postgres.Sql;
beforeAll(async () => {
  url = await createDatabase("outbox");
  sql = postgres(url, { max: 4, onnotice: () => undefined });
  await sql`CREATE TABLE purchase (id text PRIMARY KEY)`;
});
afterAll(() => sql.end());

/** One statement of the caller's own, and its transaction. */
interface Caller {
  readonly transaction: Transaction;
  readonly buy: (id: string) => Promise<unknown>;
}

interface Driver {
  begin<T>(work: (caller: Caller) => Promise<T>): Promise<T>;
  end(): Promise<unknown>;
}

const drivers: Readonly<Record<string, () => Driver>> = {
  "postgres.js": () => ({
    begin: async <T>(work: (caller: Caller) => Promise<T>) =>
      (await sql.begin((tx) =>
        work({ transaction: tx, buy: (id) => tx`INSERT INTO purchase VALUES (${id})` }),
      )) as T,
    end: () => Promise.resolve(),
  }),
  drizzle() {
    const client = postgres(url, { max: 2, onnotice: () => undefined });
    const db = drizzle(client);
    return {
      begin: (work) =>
        db.transaction((tx) =>
          work({ transaction: tx, buy: (id) => tx.execute(query`INSERT INTO purchase VALUES (${id})`) }),
        ),
      end: () => client.end(),
    };
  },
  "Bun's SQL"() {
    const client = new SQL(url, { max: 2 });
    return {
      begin: (work) =>
        client.begin((tx) =>
          work({ transaction: tx, buy: async (id) => await tx`INSERT INTO purchase VALUES (${id})` }),
        ),
      end: () => client.end(),
    };
  },
};

const text = (bytes: Uint8Array | null | undefined) => new TextDecoder().decode(bytes ?? new Uint8Array());
const headersOf = (due: DueMessage | undefined) =>
  Object.fromEntries((due?.record.headers ?? []).map(([name, value]) => [name, text(value)]));

for (const [name, make] of Object.entries(drivers)) {
  describe(`in a transaction of ${name}:`, () => {
    const app = `app of ${name}`;
    let driver: Driver;
    let store: PostgresStore;
    let outbox: Outbox;
    beforeAll(async () => {
      driver = make();
      store = await createPostgresStore({ url, app });
      outbox = createOutbox({ app });
    });
    afterAll(() => Promise.all([store.close(), driver.end()]));

    const bought = async (id: string) => (await sql`SELECT FROM purchase WHERE id = ${id}`).length === 1;

    test("a message is there when the transaction commits, and not before", async () => {
      await driver.begin(async ({ transaction, buy }) => {
        await buy(`${name} 1`);
        expect(await outbox(transaction).send(orders, { id: "7", count: 2 }, { id: "o1" })).toBe("o1");
        expect(await store.nextDueMs(["orders"])).toBeNull();
      });
      expect(await bought(`${name} 1`)).toBe(true);
      const [due, ...more] = await claimAll(store, ["orders"]);
      expect(more).toEqual([]);
      expect(due).toMatchObject({ handler: "client", messageId: "o1", delivery: 0, attempts: 0 });
      // The runtime need not check again what was checked here.
      expect(due?.byHand).toBeUndefined();
      expect([text(due?.record.key), text(due?.record.value)]).toEqual(["7", '{"id":"7","count":2}']);
      expect(headersOf(due)).toMatchObject({
        ce_id: "o1",
        ce_source: `/${app}`,
        ce_type: "orders",
        "content-type": "application/json",
      });
    });

    test("nothing is there when it rolls back", async () => {
      const failed = driver.begin(async ({ transaction, buy }) => {
        await buy(`${name} 2`);
        await outbox(transaction).send(orders, { id: "7", count: 2 }, { id: "o2" });
        throw new Error("no money");
      });
      expect(await rejectionOf(failed)).toMatchObject({ message: "no money" });
      expect(await bought(`${name} 2`)).toBe(false);
      expect(await claimAll(store, ["orders"])).toEqual([]);
      // The id is free again.
      await driver.begin(({ transaction }) =>
        outbox(transaction).send(orders, { id: "8", count: 1 }, { id: "o2" }),
      );
      expect((await claimAll(store, ["orders"])).map(({ messageId }) => messageId)).toEqual(["o2"]);
    });

    test("a value that does not fit is refused before anything is written, and the transaction may go on", async () => {
      await driver.begin(async ({ transaction, buy }) => {
        const refused = outbox(transaction).send(orders, { id: "7", count: "2" } as never);
        expect(await rejectionOf(refused)).toMatchObject({ code: "invalid_value" });
        await buy(`${name} 3`);
      });
      expect(await bought(`${name} 3`)).toBe(true);
      expect(await claimAll(store, ["orders"])).toEqual([]);
    });

    test("several messages, with a key, headers, a version and bytes of any kind, come in the order of their sending", async () => {
      const odd = "\0 \\ ' \" {,} \ud800 ñ 🦉";
      await driver.begin(async ({ transaction }) => {
        const { send } = outbox(transaction);
        await send(plain, odd, { id: odd, key: new Uint8Array([0, 255]) });
        await Promise.all([
          send(plain, "b", { key: "", headers: { tenant: odd, raw: new Uint8Array([0, 254]) } }),
          send(plain, "c"),
        ]);
      });
      const due = await claimAll(store, ["plain"]);
      expect(due.map(({ record }) => text(record.value))).toEqual([JSON.stringify(odd), '"b"', '"c"']);
      expect(due[0]?.messageId).toBe(odd);
      expect(due.map(({ record }) => record.key && [...record.key])).toEqual([[0, 255], [], null]);
      expect(headersOf(due[1])).toMatchObject({ tenant: text(Buffer.from(odd)), cauce_schema: "2" });
      expect(due[1]?.record.headers.find(([header]) => header === "raw")?.[1]).toEqual(Buffer.from([0, 254]));
    });

    test("an id that was sent before is ignored, as in a transaction that is tried again after its commit", async () => {
      const again = () =>
        driver.begin(({ transaction }) =>
          outbox(transaction).send(orders, { id: "7", count: 2 }, { id: "twice" }),
        );
      expect([await again(), await again()]).toEqual(["twice", "twice"]);
      expect((await claimAll(store, ["orders"])).length).toBe(1);
      await again();
      expect(await claimAll(store, ["orders"])).toEqual([]);
    });

    test("it waits for its time after it was written", async () => {
      await driver.begin(({ transaction }) =>
        outbox(transaction).send(plain, "later", { after: "1h", reason: "cooling off" }),
      );
      expect(await claimAll(store, ["plain"])).toEqual([]);
      const [row] = await sql`
        SELECT reason, version, due_at BETWEEN now() + interval '59 min' AND now() + interval '60 min' AS in_time
        FROM cauce.scheduled WHERE app = ${app} AND topic = 'plain'`;
      expect({ ...row }).toEqual({ reason: "cooling off", version: 2, in_time: true });
    });
  });
}

/** Payloads heard on the channel, up to one of our own that marks the end. */
async function heardDuring(work: () => Promise<unknown>): Promise<readonly string[]> {
  const heard: string[] = [];
  const end = Promise.withResolvers<void>();
  const listening = await sql.listen("cauce_due", (payload) =>
    payload === "end" ? end.resolve() : heard.push(payload),
  );
  await work();
  await sql.notify("cauce_due", "end");
  await end.promise;
  await listening.unlisten();
  return heard;
}

test("a transaction announces its messages once, and only where one comes before what is known", async () => {
  const outbox = createOutbox({ app: "quiet" });
  const sending = (...afters: readonly `${number}h`[]) =>
    sql.begin(async (tx) => {
      for (const after of afters) await outbox(tx).send(plain, "x", { after });
    });
  expect(await heardDuring(() => sending("9h", "8h", "7h"))).toEqual(["quiet"]);
  expect(await heardDuring(() => sending("8h", "9h"))).toEqual([]);
  expect(await heardDuring(() => sending("6h"))).toEqual(["quiet"]);
  const rollBack = () =>
    sql.begin(async (tx) => {
      await outbox(tx).send(plain, "x");
      throw new Error("no");
    });
  expect(await heardDuring(() => rejectionOf(rollBack()))).toEqual([]);
});

test("what its writer changes by hand in the same transaction afterwards still counts as a person's", async () => {
  const outbox = createOutbox({ app: "writer" });
  await sql.begin(async (tx) => {
    await outbox(tx).send(plain, "x", { after: "1h" });
    const [row] = await tx<
      { writer: string | null }[]
    >`SELECT current_setting('cauce.writer', true) AS writer`;
    expect(row?.writer ?? "").toBe("");
  });
  const move = () =>
    sql.begin(async (tx) => {
      await outbox(tx).send(plain, "y", { after: "2h" });
      await tx`UPDATE cauce.scheduled SET due_at = now() WHERE app = 'writer'`;
    });
  expect(await heardDuring(move)).toContain("");
});

test("what is no transaction is refused: nothing would tie a message to a commit", () => {
  const outbox = createOutbox({ app: "a" });
  for (const none of [sql, drizzle(postgres(url)), {}]) {
    expect(() => outbox(none as never)).toThrow("the outbox needs a transaction");
  }
});

test("a header of the envelope, an empty id and a schema or an app that cannot be are refused", async () => {
  const outbox = createOutbox({ app: "a" });
  await sql.begin(async (tx) => {
    for (const header of ["ce_id", "Cauce_place", "content-type", "traceparent"]) {
      const refused = outbox(tx).send(plain, "x", { headers: { [header]: "mine" } });
      expect(await rejectionOf(refused)).toMatchObject({ code: "invalid_value" });
    }
    expect(await rejectionOf(outbox(tx).send(plain, "x", { id: "" }))).toMatchObject({
      code: "invalid_value",
    });
  });
  expect(() => createOutbox({ app: "" })).toThrow("the app's name");
  expect(() => createOutbox({ app: "a", schema: 'x"; DROP' })).toThrow("no schema name");
});

test("a statement that fails says so in the words of Cauce, and the transaction with it", async () => {
  const outbox = createOutbox({ app: "a", schema: "elsewhere" });
  const failed = sql.begin((tx) => outbox(tx).send(plain, "x"));
  expect(await rejectionOf(failed)).toMatchObject({ code: "database" });
});

test("the example of the docs writes an order and its messages, or nothing", async () => {
  const store = await createPostgresStore({ url, app: "shop" });
  await sql`CREATE TABLE shop_order (id text PRIMARY KEY, items integer)`;
  await placeOrder(sql, "7", 3);
  // The same order once more: the order is refused, and no message is left of it.
  expect(await rejectionOf(placeOrder(sql, "7", 3))).toMatchObject({ code: "23505" });
  const due = await claimAll(store, ["orders", "reminders"]);
  expect(due.map(({ messageId }) => messageId)).toEqual(["order 7"]);
  expect((await sql`SELECT FROM cauce.scheduled WHERE app = 'shop' AND topic = 'reminders'`).length).toBe(1);
  await store.close();
});

test("tables in another schema are written where they are", async () => {
  const schema = "queue_of_shop";
  const store = await createPostgresStore({ url, app: "shop", schema });
  await sql.begin((tx) => createOutbox({ app: "shop", schema })(tx).send(plain, "x", { id: "elsewhere" }));
  expect((await claimAll(store, ["plain"])).map(({ messageId }) => messageId)).toEqual(["elsewhere"]);
  await store.close();
});
