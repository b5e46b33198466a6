/**
 * A worker that doubles numbers exactly once on a real broker, and may die at a failpoint.
 *
 * In: brokers, topic, output topic, `point:visit` or `-`. Out: the line `ready`. Ends when its standard input does.
 */
import * as v from "valibot";
import { dieAt, FAILPOINTS } from "cauce/testing";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { startConsumer } from "../../runtime/engine/consumer.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { handler, topic } from "../../runtime/index.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import { testLibrary } from "../kafka/library.ts";

const [brokers = "", from = "", to = "", death = "-"] = process.argv.slice(2);
process.stdin.on("end", () => process.exit(1)).resume();
const [name, visit] = death.split(":");
const point = FAILPOINTS.find((each) => each === name);
if (point !== undefined) dieAt({ point, visit: Number(visit) });

const schema = v.object({ n: v.number() });
const doubled = topic(to, { schema });
const doubling = handler({
  name: "doubling",
  on: topic(from, { schema }),
  out: { doubled },
  guarantee: "exactly-once",
  handle: ({ value }, { out }) => out.doubled({ n: value.n }),
});
const bus = await createKafkaBus({
  library: await testLibrary(),
  brokers,
  clientId: "doubling",
  consumerConfig: { "session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000 },
});
const names = namesFor(from, doubling);
await bus.ensureTopics([{ name: names.retryTopic, partitions: 2, provision: "create" }]);
await startConsumer({
  handler: doubling,
  names,
  deps: {},
  bus,
  store: createMemoryStore({ clock: systemClock }),
  clock: systemClock,
  random: Math.random,
  log: silentLog,
});
process.stdout.write("ready\n");
