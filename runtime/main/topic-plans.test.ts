import { expect, test } from "bun:test";
import { handler, topic } from "cauce";
import * as v from "valibot";
import { scheduledTopics } from "./topic-plans.ts";

const orders = topic("orders", { schema: v.looseObject({}) });
const strange = topic("orders.strange.dlq", { schema: v.looseObject({}) });
const one = handler({ name: "one", on: orders, out: { strange }, handle() {} });

test("a scheduler publishes for every declared topic, whatever it is called, and for no dead letters", () => {
  const topics = scheduledTopics("app", [one]);
  expect([...topics.keys()]).toEqual(["orders", "orders.strange.dlq", "orders.one.retry"]);
  expect(topics.get("orders.one.retry")).toBe(orders);
});
