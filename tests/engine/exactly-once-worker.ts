/**
 * A worker that passes numbers on exactly once on a real broker, and may die at a failpoint.
 *
 * In: brokers, topic, output topic, `point:visit` or `-`; optionally a database, and `schedule` where it is to publish rows too. With a
 * database, numbers that end in 3 fail once, those that end in 4 are passed on later, those that end in 5 die. Out: the line
 * `ready`. Ends when its standard input does.
 */
import * as v from "valibot";
import { dieAt, FAILPOINTS } from "cauce/testing";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { startConsumer } from "../../runtime/engine/consumer.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { GiveUp, handler, topic } from "../../runtime/index.ts";
import { startScheduler } from "../../runtime/scheduler/scheduler.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import { testLibrary } from "../kafka/library.ts";

const [brokers = "", from = "", to = "", death = "-", database = "", schedule = ""] = process.argv.slice(2);
process.stdin.on("end", () => process.exit(1)).resume();
const [name, visit] = death.split(":");
const point = FAILPOINTS.find((each) => each === name);

const schema = v.object({ n: v.number() });
const passed = topic(to, { schema });
const passing = handler({
  name: "doubling",
  on: topic(from, { schema }),
  out: { passed },
  guarantee: "exactly-once",
  retry: [[TypeError, { attempts: 3, delay: "constant", base: "10ms" }]],
  handle({ value, delivery }, { out }) {
    const kind = database === "" ? 0 : value.n % 10;
    if (kind === 3 && delivery === 0) throw new TypeError("this one comes again");
    if (kind === 5) throw new GiveUp("this one is to die");
    return kind === 4 ? out.passed({ n: value.n }, { after: "10ms" }) : out.passed({ n: value.n });
  },
});
const bus = await createKafkaBus({
  library: await testLibrary(),
  brokers,
  clientId: "passing",
  consumerConfig: { "session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000 },
  // Nobody may leave readers waiting for longer than ten seconds.
  producerConfig: { "transaction.timeout.ms": 60_000 },
});
const names = namesFor(from, passing);
await bus.ensureTopics(
  [names.retryTopic, names.deadLetterTopic].map((each) => ({
    name: each,
    partitions: 2,
    provision: "create",
  })),
);
const store =
  database === ""
    ? createMemoryStore({ clock: systemClock })
    : await createPostgresStore({ url: database, app: from });
if (point !== undefined) dieAt({ point, visit: Number(visit) });
await startConsumer({
  handler: passing,
  names,
  deps: {},
  bus,
  store,
  clock: systemClock,
  random: Math.random,
  log: silentLog,
});
if (schedule !== "")
  startScheduler({ store, publish: (records) => bus.publish(records), topics: [to, names.retryTopic] });
process.stdout.write("ready\n");
