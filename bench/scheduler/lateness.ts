/**
 * How late rows are: 2,000 due a second while 1M wait, from due to acknowledged.
 *
 * In: a stage. Out: lateness p99 over the sum of commit p99 and produce-ack p99, which are probed in the same run.
 * A row that came early, twice or not at all is a fault.
 */
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { openLibrary } from "../../runtime/kafka/index.ts";
import { measurement } from "../harness/measurement.ts";
import { PARTITIONS, type Stage } from "../harness/stage.ts";
import { quantile } from "../harness/statistics.ts";
import type { Pair } from "../harness/verdict.ts";
import { runDoor } from "./run-door.ts";
import { probe, Table } from "./table.ts";

const WAITING = 1_000_000;
const QUICK_WAITING = 100_000;
const PER_SECOND = 2_000;
const OVER_MS = 10_000;
const QUICK_OVER_MS = 4_000;
const PROBE_EVERY_MS = 20;

export const lateness = measurement(
  {
    name: "schedule-lateness",
    row: "delayed/retry scheduler: lateness",
    reference:
      "p99 from due to acknowledged, over commit p99 + produce-ack p99 of the same run; 2,000 due/s, 1M waiting",
    unit: "ratio",
    better: "lower",
    must: 3,
    aim: 1.5,
  },
  async (stage) => {
    const table = await Table.open(await stage.newDatabase());
    const topic = await stage.newTopic(PARTITIONS);
    await table.wait(topic, stage.quick ? QUICK_WAITING : WAITING);
    const bus = await createKafkaBus({
      library: openLibrary(stage.library),
      brokers: stage.brokers,
      clientId: "probe",
    });
    const pairs: Pair[] = [];
    for (let pair = 0; pair < stage.pairs; pair++) pairs.push(await measureOnce(stage, table, topic, bus));
    await Promise.all([table.close(), bus.close(1_000)]);
    return pairs;
  },
);

async function measureOnce(
  stage: Stage,
  table: Table,
  topic: string,
  bus: Awaited<ReturnType<typeof createKafkaBus>>,
): Promise<Pair> {
  const overMs = stage.quick ? QUICK_OVER_MS : OVER_MS;
  const rows = (PER_SECOND * overMs) / 1_000;
  const probeTopic = await stage.newTopic(1);
  const over = new AbortController();
  const value = new Uint8Array(100);
  const record = { topic: probeTopic, key: null, value, headers: [] };
  let probing: Promise<[number[], number[]]> | undefined;
  const result = await runDoor(stage, { url: table.url, topic, rows, kind: "runtime" }, async () => {
    await table.due(topic, { rows, afterMs: SETTLE_MS, overMs });
    probing = Promise.all([
      table.commits(PROBE_EVERY_MS, over.signal),
      probe(PROBE_EVERY_MS, over.signal, () => bus.publish([record])),
    ]);
  });
  over.abort();
  const [commits = [], acks = []] = (await probing) ?? [];
  const floorMs = quantile(commits, 0.99) + quantile(acks, 0.99);
  const { p50Ms, p99Ms, longestMs } = result;
  stage.say(
    `  late p50 ${p50Ms.toFixed(1)}, p99 ${p99Ms.toFixed(1)}, longest ${longestMs.toFixed(1)} ms; ` +
      `commit p99 ${quantile(commits, 0.99).toFixed(1)} + ack p99 ${quantile(acks, 0.99).toFixed(1)} ms; ${result.early} early`,
  );
  await stage.dropTopics(probeTopic);
  return { value: p99Ms / floorMs, faults: result.early + result.repeated };
}

const SETTLE_MS = 1_500;
