/**
 * A worker that is too slow for its backlog: a handler that takes seconds, many at once.
 *
 * In: brokers, topic, app. Out: the line `ready`, then a line for each message that was handled. Ends when its standard input does.
 */
import { handler, pause, systemClock, topic } from "cauce";
import * as v from "valibot";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { startConsumer } from "../../runtime/engine/consumer.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import { testLibrary } from "../kafka/library.ts";

const WORK_MS = 2_000;
const AT_ONCE = 256;

const [brokers = "", name = "", app = ""] = process.argv.slice(2);
process.stdin.on("end", () => process.exit(0)).resume();

const slow = handler({
  name: "slow",
  on: topic(name, { schema: v.looseObject({ n: v.number() }) }),
  order: { by: "none" },
  concurrency: AT_ONCE,
  async handle() {
    await pause(systemClock, WORK_MS);
    process.stdout.write("handled\n");
  },
});
const bus = await createKafkaBus({ library: await testLibrary(), brokers, clientId: "slow" });
const names = namesFor(app, slow);
await bus.ensureTopics([{ name: names.retryTopic, partitions: 1, provision: "create" }]);
await startConsumer({
  handler: slow,
  names,
  deps: {},
  bus,
  store: createMemoryStore({ clock: systemClock }),
  clock: systemClock,
  random: Math.random,
  log: silentLog,
});
process.stdout.write("ready\n");
