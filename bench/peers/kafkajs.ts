/**
 * The JSON hop on kafkajs, as its documentation says it is fastest: batches, several partitions at once.
 *
 * In: a `HopWork`. Out: the window. Runs on Node and on Bun.
 */
import kafkajs, { type Message } from "kafkajs";
import * as v from "valibot";
import { MeasuredWindow, readWork } from "../harness/window.ts";
import { Numbered, step } from "../json-hop/hop.ts";

const work = readWork();
const kafka = new kafkajs.Kafka({ brokers: [work.brokers], logLevel: kafkajs.logLevel.ERROR });
const createPartitioner = kafkajs.Partitioners.DefaultPartitioner;
const producer = kafka.producer({ idempotent: true, createPartitioner });
const consumer = kafka.consumer({ groupId: work.group });
await Promise.all([producer.connect(), consumer.connect()]);
await consumer.subscribe({ topics: [work.from], fromBeginning: true });

const window = new MeasuredWindow(work);
const all = Promise.withResolvers<void>();
await consumer.run({
  partitionsConsumedConcurrently: 4,
  autoCommitInterval: work.commitEveryMs,
  eachBatchAutoResolve: false,
  async eachBatch({ batch, resolveOffset, commitOffsetsIfNecessary, heartbeat }) {
    await producer.send({ topic: work.to, acks: -1, messages: batch.messages.map(hop) });
    const last = batch.messages.at(-1);
    if (last) resolveOffset(last.offset);
    await commitOffsetsIfNecessary();
    await heartbeat();
    if (window.saw(batch.messages.length)) all.resolve();
  },
});
await all.promise;
await consumer.disconnect();
await producer.disconnect();
process.stdout.write(`${window.line()}\n`);
process.exit(0);

function hop({ key, value }: Message) {
  const parsed = v.parse(Numbered, JSON.parse(String(value)));
  return { key, value: JSON.stringify(step(parsed)) };
}
