/**
 * The JSON hop on @platformatic/kafka, in the form in which it costs least: the stream's data events, gathered into batches.
 *
 * In: a `HopWork`. Out: the window. Runs on Node and on Bun.
 */
import { Consumer, type Message, Producer } from "@platformatic/kafka";
import * as v from "valibot";
import { MeasuredWindow, readWork } from "../harness/window.ts";
import { Numbered, step } from "../json-hop/hop.ts";

const work = readWork();
const BATCH = 1_000;
const MOST_BATCHES = 4;

const common = { clientId: "bench", bootstrapBrokers: [work.brokers], strict: false };
const producer = new Producer({ ...common, idempotent: true, acks: -1 });
const consumer = new Consumer({ ...common, groupId: work.group, maxWaitTime: 100, highWaterMark: 8_192 });
const stream = await consumer.consume({
  topics: [work.from],
  mode: "committed",
  fallbackMode: "earliest",
  autocommit: false,
});

const window = new MeasuredWindow(work);
const all = Promise.withResolvers<void>();
const finished = new Map<number, Message>();
const commit = async () => {
  const offsets = [...finished.values()].map(({ topic, partition, offset, leaderEpoch }) => ({
    topic,
    partition,
    offset: offset + 1n,
    leaderEpoch,
  }));
  finished.clear();
  if (offsets.length > 0) await consumer.commit({ offsets });
};
const timer = setInterval(() => void commit(), work.commitEveryMs);

let gathered: Message[] = [];
let turn = Promise.resolve();
let waiting = 0;
stream.on("error", (error) => all.reject(error));
stream.on("data", (message) => {
  if (gathered.push(message) === 1) setImmediate(send);
  else if (gathered.length === BATCH) send();
});

/** One after the other: the sequence numbers of idempotence allow no two at once. */
function send(): void {
  if (gathered.length === 0) return;
  const batch = gathered;
  gathered = [];
  if (++waiting >= MOST_BATCHES) stream.pause();
  turn = turn.then(async () => {
    await producer.send({ messages: batch.map(hop) });
    for (const message of batch) finished.set(message.partition, message);
    if (--waiting < MOST_BATCHES) stream.resume();
    if (window.saw(batch.length)) all.resolve();
  });
  turn.catch(all.reject);
}

await all.promise;
clearInterval(timer);
await commit();
await stream.close();
await consumer.close();
await producer.close();
process.stdout.write(`${window.line()}\n`);
process.exit(0);

function hop({ key, value }: Message) {
  const parsed = v.parse(Numbered, JSON.parse(value.toString()));
  return { topic: work.to, key, value: Buffer.from(JSON.stringify(step(parsed))) };
}
