/**
 * How long does the Kafka binding hold the event loop? And what does a message cost?
 *
 *   bun bench/kafka-event-loop.ts [--brokers host:port] [--library path] [--crossing shim|plain] [--records 200000]
 *
 * In: a library, and a broker or the mock cluster in this process. Out: per step the longest gap of the event loop, and
 * as the last line one JSON object with the longest of all in ms. Every record in is checked to be a record out.
 */
import { parseArgs } from "node:util";
import { createKafkaBus } from "../runtime/bus/kafka.ts";
import { type CrossingChoice, MOCK_CLIENTS, MockCluster, openLibrary } from "../runtime/kafka/index.ts";
import { locateLibrary } from "../runtime/kafka/library/locate.ts";
import { cacheFolder } from "../runtime/provision/cache-folder.ts";

const { values } = parseArgs({
  options: {
    brokers: { type: "string" },
    library: { type: "string" },
    crossing: { type: "string", default: "auto" },
    records: { type: "string", default: "200000" },
  },
});
const MUST_MS = 5;
const VALUE = new Uint8Array(256);
const BATCH = 1_000;
/** Long enough that the clients try to connect in vain several times, which is what is measured. */
const AWAY_MS = 1_500;

const path = values.library ?? (await locate());
const library = openLibrary(path);
const mock = values.brokers === undefined ? MockCluster.start({ library }) : undefined;
const count = Number(values.records);
const crossing = values.crossing as CrossingChoice;
const bus = await createKafkaBus({
  library,
  crossing,
  brokers: values.brokers ?? mock?.bootstrap ?? "",
  clientId: "bench",
  ...(mock
    ? {
        ...MOCK_CLIENTS,
        createTopic: (plan) => Promise.resolve(mock.createTopic(plan.name, plan.partitions)),
      }
    : {}),
});

let longest = 0;
const say = (line: string) => process.stdout.write(`${line}\n`);

/** Runs a step while a timer of 1 ms measures how late it is called. */
async function step<Result>(title: string, body: () => Promise<Result>): Promise<Result> {
  let last = performance.now();
  let gap = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    gap = Math.max(gap, now - last - 1);
    last = now;
  }, 1);
  const cpu = process.cpuUsage();
  const result = await body();
  const used = process.cpuUsage(cpu);
  clearInterval(timer);
  longest = Math.max(longest, gap);
  say(
    `${title.padEnd(44)} longest gap ${gap.toFixed(1)} ms, ${((used.user + used.system) / count).toFixed(2)} µs CPU per record`,
  );
  return result;
}

const topic = `bench-${crypto.randomUUID()}`;
const copy = `${topic}-out`;
await bus.ensureTopics([topic, copy].map((name) => ({ name, partitions: 4, provision: "create" as const })));

await step(`publish ${count} records`, async () => {
  const calls: Promise<unknown>[] = [];
  for (let at = 0; at < count; at += BATCH) {
    calls.push(
      bus.publish(
        Array.from({ length: BATCH }, (_, n) => ({
          topic,
          key: Uint8Array.of(n),
          value: VALUE,
          headers: [],
        })),
      ),
    );
    if (calls.length % 16 === 0) await Promise.all(calls.splice(0));
  }
  await Promise.all(calls);
});

const subscription = await step("join a group", async () => {
  const assigned = Promise.withResolvers<void>();
  const joined = await bus.subscribe({
    group: topic,
    topics: [topic],
    startAt: "earliest",
    drainMs: 1_000,
    ownership: {
      assigned: () => assigned.resolve(),
      revoked: () => Promise.resolve(),
      lost() {},
      troubled() {},
    },
  });
  await assigned.promise;
  return joined;
});

await step(`consume, publish and commit ${count} records`, async () => {
  let seen = 0;
  while (seen < count) {
    const records = await subscription.take(BATCH);
    seen += records.length;
    await bus.publish(
      records.map((record) => ({
        topic: copy,
        key: record.key,
        value: record.value,
        headers: record.headers,
      })),
    );
    const next = new Map(records.map(({ partition, offset }) => [partition, offset + 1]));
    await subscription.commit([...next].map(([partition, offset]) => ({ topic, partition, offset })));
  }
  if (seen !== count) throw new Error(`${seen} records came back of ${count}`);
});

if (mock) {
  await step("the broker goes away and comes back", async () => {
    mock.brokerDown();
    const published = bus.publish([{ topic, key: null, value: VALUE, headers: [] }]);
    await Bun.sleep(AWAY_MS); // how long it is away is the case itself
    mock.brokerUp();
    await published;
  });
}
await step("leave the group and close", async () => {
  await subscription.close();
  await bus.close();
});
mock?.close();

const name = "kafka-event-loop";
say(
  JSON.stringify({
    name,
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

async function locate(): Promise<string> {
  const found = await locateLibrary({
    env: process.env,
    cacheDir: cacheFolder(process.env),
    production: false,
    report: say,
  });
  return found.path;
}
