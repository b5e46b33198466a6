/**
 * What must compile when a message is sent in a transaction, and what must not. `bun check` reads this file: an expected error
 * that does not come is an error itself.
 */
import { SQL } from "bun";
import { drizzle } from "drizzle-orm/postgres-js";
import { topic } from "cauce";
import { createOutbox } from "cauce/outbox";
import postgres from "postgres";
import * as v from "valibot";

const orders = topic("orders", {
  schema: v.object({ id: v.string(), count: v.optional(v.number(), 1) }),
  key: (order) => order.id,
});
const outbox = createOutbox({ app: "shop" });
const sql = postgres();
const db = drizzle(sql);

export const byDriver = () =>
  sql.begin(async (tx) => {
    const id: string = await outbox(tx).send(orders, { id: "1" });
    return await outbox(tx).send(
      orders,
      { id: "1", count: 2 },
      { id, after: "30s", key: "k", headers: { a: "b" } },
    );
  });

export const inSavepoint = () =>
  sql.begin((tx) => tx.savepoint((inner) => outbox(inner).send(orders, { id: "1" }, { key: null })));

export const byBuilder = () =>
  db.transaction((tx) => tx.transaction((inner) => outbox(inner).send(orders, { id: "1" })));

export const byBun = () => new SQL("").begin((tx) => outbox(tx).send(orders, { id: "1" }));

export const mistakes = () =>
  sql.begin(async (tx) => {
    const { send } = outbox(tx);
    // @ts-expect-error -- count is a number
    await send(orders, { id: "1", count: "2" });
    // @ts-expect-error -- id is missing
    await send(orders, { count: 2 });
    // @ts-expect-error -- a literal with a field that the schema does not know
    await send(orders, { id: "1", cuont: 2 });
    // @ts-expect-error -- no unit that we know
    await send(orders, { id: "1" }, { after: "30 seconds" });
    // @ts-expect-error -- a key is text, bytes or nothing
    await send(orders, { id: "1" }, { key: 7 });
    // @ts-expect-error -- a header is text or bytes
    await send(orders, { id: "1" }, { headers: { a: 7 } });
    // @ts-expect-error -- a topic is declared, not named
    await send("orders", { id: "1" });
    // @ts-expect-error -- no such option
    await send(orders, { id: "1" }, { dealy: "30s" });
  });

// @ts-expect-error -- no transaction: nothing would tie the message to a commit
export const outsideDriver = () => outbox(sql).send(orders, { id: "1" });
// @ts-expect-error -- no transaction: nothing would tie the message to a commit
export const outsideBuilder = () => outbox(db).send(orders, { id: "1" });
// @ts-expect-error -- whose schedulers shall publish it?
export const nobodys = createOutbox({ schema: "cauce" });
