/** What a new owner of a partition repeats, and what it does not: the text beside the commit. */
import { expect, test } from "bun:test";
import { handler, type Message } from "cauce";
import { MemoryBroker } from "../../runtime/bus/memory-broker.ts";
import { writeFinishedAbove } from "../../runtime/engine/commit-metadata.ts";
import { stage, numbers, until } from "./stage.ts";

const GROUP = "test.counting";
const SLOW = 0;

/** Counts runs; the slow message ends when its gate opens. All messages lie on one partition, and run in any order. */
function counting(gate: Promise<void>) {
  const runs = new Map<number, number>();
  return {
    runs,
    handler: handler({
      name: "counting",
      on: numbers,
      order: { by: "none" },
      concurrency: 8,
      async handle({ value }: Message<typeof numbers>) {
        runs.set(value.n, (runs.get(value.n) ?? 0) + 1);
        if (value.n === SLOW) await gate;
      },
    }),
  };
}

/** The place that all messages of these tests lie on. */
async function sendAll(send: (value: { id: string; n: number }) => Promise<void>, count: number) {
  for (let n = 0; n < count; n++) await send({ id: "same", n });
}

function placeOf(broker: MemoryBroker): string {
  const { topic, partition } = broker.records("numbers")[0] ?? { topic: "", partition: 0 };
  return `${topic}/${partition}`;
}

/** A consumer that finished 1,000 messages above a slow one, committed that, and was killed. */
async function killedAboveSlow(): Promise<MemoryBroker> {
  const broker = new MemoryBroker();
  const first = counting(Promise.withResolvers<void>().promise);
  const { send, settled } = await stage(first.handler, { broker });
  await sendAll(send, 1_001);
  await settled(1_000);
  await until(() => broker.group(GROUP).metadata.has(placeOf(broker)));
  // One more commit may be due for what finished after the first.
  const covers = () => broker.group(GROUP).metadata.get(placeOf(broker)) === wholeText(broker);
  await until(covers);
  broker.kill(GROUP);
  return broker;
}

function wholeText(broker: MemoryBroker): string {
  const { topic, partition } = broker.records("numbers")[0] ?? { topic: "", partition: 0 };
  const life = broker.life({ topic, partition });
  return writeFinishedAbove({ offset: 0, life, above: [{ from: 1, to: 1_001 }] });
}

test("killed with 1,000 finished messages above a slow one, it repeats the slow one alone", async () => {
  const broker = await killedAboveSlow();
  expect(broker.committed(GROUP).get(placeOf(broker))).toBe(0);
  const second = counting(Promise.resolve());
  const { settled, consumer } = await stage(second.handler, { broker });
  await settled(1);
  await until(() => broker.committed(GROUP).get(placeOf(broker)) === 1_001);
  expect([...second.runs]).toEqual([[SLOW, 1]]);
  expect(consumer.state.skipped).toBe(1_000);
});

test("killed again before it has read everything once more, it forgets nothing of the first commit", async () => {
  const broker = await killedAboveSlow();
  const again = counting(Promise.withResolvers<void>().promise);
  const { send, settled } = await stage(again.handler, { broker });
  await send({ id: "same", n: 1_001 });
  await settled(1);
  await until(() => broker.group(GROUP).metadata.get(placeOf(broker)) !== wholeText(broker));
  broker.kill(GROUP);
  const third = counting(Promise.resolve());
  await (await stage(third.handler, { broker })).settled(1);
  await until(() => broker.committed(GROUP).get(placeOf(broker)) === 1_002);
  expect([...third.runs]).toEqual([[SLOW, 1]]);
});

test("a text beside the commit that is not ours is ignored: everything above is run again", async () => {
  for (const foreign of ["kafka-streams", "cauce1.AAAAAAAA", "ñ"]) {
    const broker = await killedAboveSlow();
    broker.group(GROUP).metadata.set(placeOf(broker), foreign);
    const second = counting(Promise.resolve());
    await (await stage(second.handler, { broker })).settled(1_001);
    expect(second.runs.size).toBe(1_001);
  }
});

test("a group that was put back to an earlier offset runs everything from there", async () => {
  const broker = await killedAboveSlow();
  const place = placeOf(broker);
  broker.group(GROUP).committed.set(place, 500);
  const second = counting(Promise.resolve());
  await (await stage(second.handler, { broker })).settled(501);
  expect(second.runs.size).toBe(501);
});

test("of a topic that was deleted and made anew, every message is run", async () => {
  const broker = await killedAboveSlow();
  broker.remove("numbers");
  const second = counting(Promise.resolve());
  const { send, settled, consumer } = await stage(second.handler, { broker });
  await sendAll(send, 1_001);
  await settled(1_001);
  expect(second.runs.size).toBe(1_001);
  expect(consumer.state.skipped).toBe(0);
});

test("of a log whose end was cut off, what was written there since is run", async () => {
  const broker = await killedAboveSlow();
  const { topic, partition } = broker.records("numbers")[0] ?? { topic: "", partition: 0 };
  broker.truncate({ topic, partition, length: 400 });
  const second = counting(Promise.resolve());
  const { send, settled } = await stage(second.handler, { broker });
  for (let n = 2_000; n < 2_600; n++) await send({ id: "same", n });
  await settled(1_000);
  expect([...second.runs.keys()].filter((n) => n >= 2_000)).toHaveLength(600);
});

test("a broker that refuses the text gets the offsets without it", async () => {
  const broker = new MemoryBroker();
  const { promise: gate, resolve: openGate } = Promise.withResolvers<void>();
  const { handler: slowFirst } = counting(gate);
  const { send, settled } = await stage(slowFirst, { broker, longestMetadata: 0 });
  await sendAll(send, 10);
  await settled(9);
  await until(() => broker.committed(GROUP).get(placeOf(broker)) === 0);
  openGate();
  await until(() => broker.committed(GROUP).get(placeOf(broker)) === 10);
  expect(broker.group(GROUP).metadata.get(placeOf(broker))).toBe("");
});
