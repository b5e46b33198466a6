/**
 * `bun run measure:flink`: the scoring handler in one process and in two, and the Flink job, on the same machine and broker.
 *
 * In: how many messages (`--count`). Out: for each the throughput, the time until a result is visible to a reader of committed
 * records, and resident memory, as rows of a table. Never here: a verdict; docs/flink.md draws the conclusions.
 */
import { parseArgs } from "node:util";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import type { Bus } from "../../runtime/bus/bus.ts";
import { startFlink } from "../../deploy/flink/cluster.ts";
import { memoryMbOf } from "../../deploy/flink/memory.ts";
import { errors, failed, generated, requests, validated } from "../../schema/topics.ts";
import { testLibrary } from "../../tests/kafka/library.ts";
import { startKafka } from "../../tests/services/kafka.ts";
import { startPostgres } from "../../tests/services/postgres.ts";
import { inherited, startWorker, type Worker } from "../demo-real/stack.ts";
import { Arrivals } from "./arrivals.ts";
import { answeredMessages } from "./messages.ts";

const { values } = parseArgs({ options: { count: { type: "string", default: "20000" } } });
const COUNT = Number(values.count);
const RATE = 50;
const RATED_COUNT = 1_000;
/** So many messages go through first: what is compiled and cached then is not measured. */
const WARM_UP_COUNT = 500;
/** Of what the cluster wrote, in characters, when it fails. */
const LONGEST_REASON = 8_000;
const DEAD_LETTERS = `${generated.name}.dlq`;

interface Measured {
  readonly what: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly memoryMb: number;
}

const say = (line: string) => void process.stderr.write(`${line}\n`);
const kafka = await startKafka({ report: say });
const database = await startPostgres();
const bus = await createKafkaBus({
  library: await testLibrary(),
  brokers: kafka.brokers,
  clientId: "measure",
});
const rows: Measured[] = [];
try {
  const topics = [generated, requests, validated, errors, failed].map(({ name }) => name);
  const plans = [...topics, DEAD_LETTERS].map((name) => ({
    name,
    partitions: 12,
    provision: "create" as const,
  }));
  await bus.ensureTopics(plans);
  const arrivals = await Arrivals.open(bus, [validated.name, requests.name, DEAD_LETTERS]);
  for (const processes of [1, 2]) rows.push(await handlers(processes, arrivals));
  rows.push(await flink(arrivals));
  await arrivals.close();
} finally {
  await bus.close(0);
  await database.stop();
  await kafka.stop();
}
process.stdout.write(
  "| what | messages/s | p50 to visible | p99 to visible | memory |\n| --- | --- | --- | --- | --- |\n",
);
for (const { what, perSecond, p50Ms, p99Ms, memoryMb } of rows)
  process.stdout.write(`| ${what} | ${perSecond} | ${p50Ms} ms | ${p99Ms} ms | ${memoryMb} MB |\n`);

async function handlers(processes: number, arrivals: Arrivals): Promise<Measured> {
  const environment = {
    ...inherited(),
    KAFKA_BROKERS: kafka.brokers,
    DATABASE_URL: await database.createDatabase("measure"),
  };
  const workers: Worker[] = [];
  for (let index = 0; index < processes; index++) {
    const options = {
      name: `handler ${index + 1}`,
      run: "llm.generated",
      projectDir: process.cwd(),
      environment,
    };
    workers.push(await startWorker(options));
  }
  try {
    const what = processes === 1 ? "the handler, one process" : `the handler, ${processes} processes`;
    return await measure(what, arrivals, () =>
      workers.reduce((sum, worker) => sum + memoryMbOf(worker.pid()), 0),
    );
  } finally {
    for (const worker of workers) await worker.stop();
  }
}

async function flink(arrivals: Arrivals): Promise<Measured> {
  const cluster = await startFlink(say);
  try {
    await cluster.submit({ KAFKA_BROKERS: kafka.brokers });
    return await measure("the Flink job, 2 slots, checkpoints every 2 s", arrivals, () => {
      const { jobManager, taskManager } = cluster.memoryMb();
      return jobManager + taskManager;
    });
  } catch (thrown) {
    say(cluster.output().slice(-LONGEST_REASON));
    throw thrown;
  } finally {
    await cluster.stop();
  }
}

async function measure(what: string, arrivals: Arrivals, memoryMb: () => number): Promise<Measured> {
  await all(bus, arrivals, WARM_UP_COUNT);
  const startMs = performance.now();
  await all(bus, arrivals, COUNT);
  const perSecond = Math.round(COUNT / ((performance.now() - startMs) / 1_000));
  const waits = await arrivals.paced(bus, answeredMessages(RATED_COUNT), RATE);
  const at = (share: number) =>
    Math.round(waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? NaN);
  const measured = { what, perSecond, p50Ms: at(0.5), p99Ms: at(0.99), memoryMb: memoryMb() };
  say(JSON.stringify(measured));
  return measured;
}

/** Publishes so many at once and waits until all that follows from them is visible. */
async function all(to: Bus, arrivals: Arrivals, count: number): Promise<void> {
  const messages = answeredMessages(count);
  const arrived = arrivals.all(messages.map(({ outputIds }) => outputIds));
  await to.publish(messages.map(({ record }) => record));
  await arrived;
}
