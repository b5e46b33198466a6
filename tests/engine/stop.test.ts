/** A consumer that stops: what runs is finished and committed, and nothing more is begun. */
import { expect, test } from "bun:test";
import { handler } from "cauce";
import { MemoryBroker } from "../../runtime/bus/memory-broker.ts";
import { committedTotal, numbers, stage, until } from "./stage.ts";

test("a stop under load finishes what runs, commits it, and starts nothing new", async () => {
  const { promise: gate, resolve: openGate } = Promise.withResolvers<void>();
  const { promise: busy, resolve: nowBusy } = Promise.withResolvers<void>();
  let runs = 0;
  const slow = handler({
    name: "stopping",
    on: numbers,
    concurrency: 1,
    async handle() {
      runs++;
      nowBusy();
      await gate;
    },
  });
  const { send, consumer, broker } = await stage(slow);
  for (let n = 0; n < 10; n++) await send({ id: "same", n });
  await busy;
  const stopped = consumer.stop(5_000);
  openGate();
  await stopped;
  expect(runs).toBe(1);
  expect(committedTotal(broker, slow)).toBe(1);
});

test("what it is given while it stops is left to whoever comes next", async () => {
  const broker = new MemoryBroker();
  const { promise: gate, resolve: openGate } = Promise.withResolvers<void>();
  const ran: number[] = [];
  const stopping = await stage(
    handler({
      name: "given",
      on: numbers,
      order: { by: "none" },
      async handle({ value }) {
        ran.push(value.n);
        await gate;
      },
    }),
    { broker },
  );
  const other = await stage(handler({ name: "given", on: numbers, handle() {} }), { broker });
  await until(() => other.consumer.state.lag.length > 0);
  // Without a key, records go round the three partitions: the first lies on one of the first member's.
  const send = (n: number) => stopping.sendBytes(new TextEncoder().encode(JSON.stringify({ id: "a", n })));
  await send(0);
  await until(() => ran.length === 1);
  await someTurns(); // It takes again.
  const stopped = stopping.consumer.stop(5_000);
  await other.consumer.stop(1_000);
  // Three of the topic, three of the retry topic.
  await until(() => stopping.consumer.state.lag.length === 6);
  for (let n = 1; n <= 6; n++) await send(n);
  await someTurns(); // In these it would have taken and run them.
  openGate();
  await stopped;
  expect(ran).toEqual([0]);
  expect(broker.committed("test.given").get(`${numbers.name}/0`)).toBe(1);
});

async function someTurns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}
