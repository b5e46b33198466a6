/**
 * How long the engine takes to work off a backlog of small messages over librdkafka's mock cluster.
 *
 * `bun bench/engine-backlog.ts [MESSAGES]`; ends with one JSON line. Ids in = ids out, or it fails.
 */
import { handler, systemClock, topic } from "cauce";
import * as v from "valibot";
import { createKafkaBus } from "../runtime/bus/kafka.ts";
import { startConsumer } from "../runtime/engine/consumer.ts";
import { namesFor } from "../runtime/engine/names.ts";
import { createMemoryStore } from "../runtime/store/memory.ts";
import { silentLog } from "../runtime/ground/log.ts";
import { MockCluster, openLibrary } from "../runtime/kafka/index.ts";
import { locateLibrary } from "../runtime/kafka/library/locate.ts";
import { cacheFolder } from "../runtime/provision/cache-folder.ts";

const messages = Number(process.argv[2] ?? 50_000);
const chunk = 1_000;
/** The mock silently drops what is beyond 5 MiB a partition: more messages than this would never all arrive. */
const mostMessages = 60_000;
if (!(messages >= 1 && messages <= mostMessages)) throw new RangeError(`MESSAGES is 1 to ${mostMessages}`);
const report = (line: string) => void process.stderr.write(`${line}\n`);
const located = await locateLibrary({
  env: process.env,
  cacheDir: cacheFolder(process.env),
  production: false,
  report,
});
const library = openLibrary(located.path);
const mock = MockCluster.start({ library });
const Numbered = v.looseObject({ id: v.string(), n: v.number() });
const from = topic("from", { schema: Numbered, key: ({ id }) => id, partitions: 4 });
const to = topic("to", { schema: Numbered, key: ({ id }) => id, partitions: 4 });
const hop = handler({
  name: "hop",
  on: from,
  out: { to },
  order: { by: "key", whileRetrying: "skip" },
  concurrency: 256,
  handle: ({ value }, { out }) => out.to({ ...value, n: value.n + 1 }),
});
const names = namesFor("bench", hop);
for (const name of [from.name, to.name, names.retryTopic, names.deadLetterTopic]) mock.createTopic(name, 4);
const bus = await createKafkaBus({
  library,
  brokers: mock.bootstrap,
  clientId: "bench",
  consumerConfig: { "fetch.wait.max.ms": 10 },
});

const utf8 = new TextEncoder();
for (let first = 0; first < messages; first += chunk) {
  await bus.publish(
    Array.from({ length: Math.min(chunk, messages - first) }, (_, index) => {
      const n = first + index;
      const value = { id: `key-${n % 1_000}`, n, padding: "x".repeat(200) };
      return {
        topic: from.name,
        key: utf8.encode(value.id),
        value: utf8.encode(JSON.stringify(value)),
        headers: [],
      };
    }),
  );
}

const seen = new Set<number>();
const all = Promise.withResolvers<void>();
const startMs = performance.now();
const cpuBefore = process.cpuUsage();
const consumer = await startConsumer({
  handler: hop,
  names,
  deps: {},
  bus,
  store: createMemoryStore({ clock: systemClock }),
  clock: systemClock,
  random: Math.random,
  log: silentLog,
  settled: ({ value }) => {
    seen.add((value as { n: number }).n);
    if (seen.size === messages) all.resolve();
  },
});
await all.promise;
const wallMs = performance.now() - startMs;
const cpu = process.cpuUsage(cpuBefore);
await consumer.stop(5_000);
await bus.close();
mock.close();
process.stdout.write(
  `${JSON.stringify({
    name: "engine-backlog",
    messages,
    wall_ms: Math.round(wallMs),
    messages_per_s: Math.round((messages / wallMs) * 1_000),
    cpu_us_per_message: Math.round(((cpu.user + cpu.system) / messages) * 10) / 10,
  })}\n`,
);
