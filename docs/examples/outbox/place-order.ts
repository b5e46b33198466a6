import { topic } from "cauce";
import { createOutbox } from "cauce/outbox";
import type { Sql } from "postgres";
import * as v from "valibot";

export const orders = topic("orders", {
  schema: v.object({ id: v.string(), items: v.number() }),
  key: (order) => order.id,
});
export const reminders = topic("reminders", { schema: v.object({ order: v.string() }) });

const outbox = createOutbox({ app: "shop" });

export async function placeOrder(sql: Sql, id: string, items: number): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`INSERT INTO shop_order (id, items) VALUES (${id}, ${items})`;
    await outbox(tx).send(orders, { id, items }, { id: `order ${id}` });
    await outbox(tx).send(reminders, { order: id }, { after: "3d" });
  });
}
