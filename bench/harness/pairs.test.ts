/** How runs are interleaved. */
import { expect, test } from "bun:test";
import { interleave } from "./pairs.ts";

test("reference and ours take turns, one at a time, and stay paired", async () => {
  const order: string[] = [];
  const running = new Set<string>();
  let count = 0;
  const run = (name: string) => async () => {
    expect([...running]).toEqual([]);
    running.add(name);
    await Promise.resolve();
    running.delete(name);
    order.push(name);
    return count++;
  };
  const pairs = await interleave(3, { reference: run("A"), ours: run("B") });
  expect(order.join(" ")).toBe("A B A B A B");
  expect(pairs).toEqual([
    { reference: 0, ours: 1 },
    { reference: 2, ours: 3 },
    { reference: 4, ours: 5 },
  ]);
});
