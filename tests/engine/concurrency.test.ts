/** Thousands of handlers in flight at once, and the bytes that bound them. */
import { expect, test } from "bun:test";
import { handler } from "cauce";
import { LIMITS } from "../../runtime/engine/limits.ts";
import type { Order } from "../../runtime/handler/handler.ts";
import { committedTotal, numbers, stage } from "./stage.ts";

const MANY = 5_000;

/** A handler of which nothing ends before `release`. */
function gated(order: Order) {
  const gate = Promise.withResolvers<void>();
  const begun: string[] = [];
  let most = 0;
  let running = 0;
  const waiting = new Set<() => void>();
  const held = handler({
    name: "held",
    on: numbers,
    order,
    concurrency: MANY,
    async handle({ value }) {
      begun.push(value.id);
      most = Math.max(most, ++running);
      for (const look of waiting) look();
      await gate.promise;
      running--;
    },
  });
  return {
    held,
    begun,
    release: gate.resolve,
    most: () => most,
    reached: (count: number) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (begun.length >= count) resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}

test("without order thousands of messages are in flight at once, and all are committed", async () => {
  const { held, reached, release, most } = gated({ by: "none" });
  const { send, settled, broker, consumer } = await stage(held);
  // One key: its messages would wait for each other in any other order.
  for (let n = 0; n < MANY; n++) await send({ id: "same", n });
  await reached(MANY);
  expect(most()).toBe(MANY);
  expect(consumer.state.inFlight).toBe(MANY);
  release();
  await settled(MANY);
  await consumer.stop(1_000);
  expect(committedTotal(broker, held)).toBe(MANY);
});

test("by key there are as many in flight as there are keys, and one of each", async () => {
  const { held, reached, release, most, begun } = gated({ by: "key", whileRetrying: "skip" });
  const keys = 2_000;
  const { send, settled, consumer } = await stage(held);
  for (let n = 0; n < 2 * keys; n++) await send({ id: `k${n % keys}`, n });
  await reached(keys);
  expect(new Set(begun).size).toBe(keys);
  expect(most()).toBe(keys);
  release();
  await settled(2 * keys);
  await consumer.stop(1_000);
});

test("a handler that stands still holds its bytes, never the backlog, and takes the rest once it goes on", async () => {
  const { held, begun, reached, release } = gated({ by: "none" });
  const { sendBytes, settled, consumer } = await stage(held);
  const text = "x".repeat(1_000_000);
  const value = new TextEncoder().encode(JSON.stringify({ id: "large", n: 1, text }));
  const most = Math.ceil(LIMITS.bufferedBytes / value.byteLength);
  for (let n = 1; n <= most; n++) {
    await sendBytes(value);
    await reached(n);
  }
  const backlog = 2 * most;
  for (let n = 0; n < backlog; n++) await sendBytes(value);
  // Nothing is told when nothing happens: the loop has had its turns, and any of them would have taken a message.
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  expect(begun.length).toBe(most);
  release();
  await settled(most + backlog);
  await consumer.stop(1_000);
});
