/**
 * What does a transaction cost, and how long does it hold the event loop, the broker away included?
 *
 *   bun bench/transactions.ts [--kafka] [--transactions 200]
 *
 * In: the mock cluster in this process, or with --kafka an Apache Kafka of its own; both are taken away and brought back. Out: per
 * step the longest gap of the event loop and the time per call, and as the last line one JSON object with the longest gap of all in ms.
 */
import { parseArgs } from "node:util";
import {
  Admin,
  Consumer,
  locateLibrary,
  MOCK_CLIENTS,
  MockCluster,
  openLibrary,
  TransactionalProducer,
} from "../runtime/kafka/index.ts";
import { startKafka } from "../tests/services/kafka.ts";
import { cacheFolder } from "../runtime/provision/cache-folder.ts";

const { values } = parseArgs({
  options: { kafka: { type: "boolean", default: false }, transactions: { type: "string", default: "200" } },
});
const MUST_MS = 5;
const RECORDS = 100;
const VALUE = new Uint8Array(256);
const say = (line: string) => process.stdout.write(`${line}\n`);

const found = await locateLibrary({
  env: process.env,
  cacheDir: cacheFolder(process.env),
  production: false,
  report: say,
});
const library = openLibrary(found.path);
const mock = values.kafka ? undefined : MockCluster.start({ library });
const kafka = values.kafka ? await startKafka() : undefined;
const config = { "bootstrap.servers": kafka?.brokers ?? mock?.bootstrap ?? "" };
const transactions = Number(values.transactions);
const topic = `bench-${crypto.randomUUID()}`;
if (mock) mock.createTopic(topic, 4);
else {
  const admin = await Admin.open({ library, config });
  await admin.createTopics([{ name: topic, partitions: 4 }]);
  admin.close();
}

let longest = 0;
const timesMs = new Map<string, number[]>();

/** Runs a step while a timer of 1 ms measures how late it is called. */
async function step<Result>(title: string, body: () => Promise<Result>): Promise<Result> {
  let last = performance.now();
  let gap = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    gap = Math.max(gap, now - last - 1);
    last = now;
  }, 1);
  const startedMs = performance.now();
  const result = await body();
  const tookMs = performance.now() - startedMs;
  gap = Math.max(gap, performance.now() - last - 1); // what held the loop to the very end
  clearInterval(timer);
  longest = Math.max(longest, gap);
  say(`${title.padEnd(52)} longest gap ${gap.toFixed(1)} ms, took ${tookMs.toFixed(0)} ms`);
  return result;
}

async function timed<Result>(name: string, body: () => Promise<Result>): Promise<Result> {
  const startedMs = performance.now();
  const result = await body();
  const times = timesMs.get(name) ?? [];
  times.push(performance.now() - startedMs);
  timesMs.set(name, times);
  return result;
}

const records = Array.from({ length: RECORDS }, (_, at) => ({
  topic,
  key: Uint8Array.of(at),
  value: VALUE,
  headers: [],
}));
const down = async () => (mock ? mock.brokerDown() : await kafka?.kill());
const up = async () => (mock ? mock.brokerUp() : await kafka?.restart());
const newProducer = (transactionTimeoutMs: number) =>
  TransactionalProducer.open({ library, config, transactionalId: topic, transactionTimeoutMs });

// What the machine does to the timer by itself: other processes, the broker among them.
await step("nothing, for 3 s", () => Bun.sleep(3_000));
// Once a process: the shim is compiled and the layout of messages checked. All that follows counts.
await step("open the first producer of the process", async () => (await newProducer(10_000)).close());
longest = 0;
const producer = await step("open a producer", () => newProducer(10_000));
await step("init", () => producer.init());
const consumer = await step("join a group", async () => {
  const assigned = Promise.withResolvers<void>();
  const joined = await Consumer.open({
    library,
    config: { ...config, ...(mock ? MOCK_CLIENTS.consumerConfig : {}) },
    ...(mock ? { groupProtocol: MOCK_CLIENTS.groupProtocol } : {}),
    group: topic,
    topics: [topic],
    startAt: "earliest",
    drainMs: 1_000,
    assigned: () => assigned.resolve(),
    revoked: () => Promise.resolve(),
    lost: () => undefined,
    troubled: () => undefined,
  });
  await assigned.promise;
  return joined;
});

await step(`${transactions} transactions of ${RECORDS} records and offsets`, async () => {
  for (let at = 0; at < transactions; at++) {
    await timed("begin", () => producer.begin());
    await timed("produce", () => producer.produce(records));
    const group = await timed("groupMetadata", () => Promise.resolve(consumer.groupMetadata()));
    await timed("sendOffsets", () => producer.sendOffsets([{ topic, partition: 0, offset: at }], group));
    await timed("commit", () => producer.commit());
  }
});
await step("abort", async () => {
  await producer.begin();
  await producer.produce(records);
  await timed("abort", () => producer.abort());
});
for (const call of ["commit", "abort", "sendOffsets", "init"] as const) {
  const other = await newProducer(2_000);
  if (call !== "init") {
    await other.init();
    await other.begin();
    await other.produce(records);
  }
  const group = consumer.groupMetadata();
  await down();
  await step(`${call} with the broker away`, () =>
    (call === "sendOffsets"
      ? other.sendOffsets([{ topic, partition: 0, offset: 1 }], group)
      : other[call]()
    ).then(
      () => say("it resolved"),
      (error: unknown) => say(`  ${String(error)}`),
    ),
  );
  await step(`close after that`, () => other.close());
  await up();
}
await step("close", async () => {
  await producer.close();
  await consumer.close();
});
mock?.close();
await kafka?.stop();

for (const [name, times] of timesMs) {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(2);
  say(`${name.padEnd(16)} p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
}
say(
  JSON.stringify({
    name: "transactions-event-loop",
    value: longest,
    low: longest,
    high: longest,
    unit: "ms",
    reference: "a 1 ms timer",
    must: MUST_MS,
    aim: 2,
    pass: longest <= MUST_MS,
  }),
);
