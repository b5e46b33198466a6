/**
 * A topic that gets more partitions, or goes, while it is read, on a real broker.
 *
 * In: a real broker. Out: cases. Never here: how often the runtime looks (runtime/main/topics.ts).
 */
import { handler, topic } from "cauce";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { startConsumer } from "../../runtime/engine/consumer.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { Admin } from "../../runtime/kafka/index.ts";
import { watchTopics } from "../../runtime/main/topics.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import { bytes } from "../bus/owner.ts";
import { testLibrary } from "../kafka/library.ts";
import { eventually } from "../system/stage.ts";
import { verdictOf, type FaultCase, type Services } from "./case.ts";
import { keepLines, type LogLine } from "./mock-stage.ts";
import { Numbered } from "./pipeline.ts";
import type { RunVerdict } from "./run.ts";

const MESSAGES = 200;
const BEFORE = 2;
const AFTER = 5;
const LOOK_EVERY_MS = 200;

async function changed({ brokers }: Services): Promise<RunVerdict> {
  const library = await testLibrary();
  const bus = await createKafkaBus({
    library,
    brokers,
    clientId: "repartitioned",
    // Five minutes otherwise, until librdkafka sees new partitions.
    clientConfig: { "topic.metadata.refresh.interval.ms": 500 },
  });
  const admin = await Admin.open({ library, config: { "bootstrap.servers": brokers } });
  const name = `repartitioned-${crypto.randomUUID()}`;
  const seen = new Set<string>();
  const counting = handler({
    name: "counting",
    on: topic(name, { schema: Numbered, partitions: BEFORE }),
    handle: ({ value }) => void seen.add(value.id),
  });
  const names = namesFor("faults", counting);
  const plans = [name, names.retryTopic, names.deadLetterTopic];
  await bus.ensureTopics(plans.map((each) => ({ name: each, partitions: BEFORE, provision: "create" })));
  const lines: LogLine[] = [];
  const log = keepLines(lines);
  const watch = watchTopics({
    known: new Map([[name, BEFORE]]),
    bus,
    clock: systemClock,
    log,
    everyMs: LOOK_EVERY_MS,
  });
  const consumer = await startConsumer({
    handler: counting,
    names,
    deps: {},
    bus,
    store: createMemoryStore({ clock: systemClock }),
    clock: systemClock,
    random: Math.random,
    log,
  });
  const send = (from: number) =>
    bus.publish(
      Array.from({ length: MESSAGES }, (_, at) => {
        const id = `m-${from + at}`;
        const value = { id, key: `k${at % 20}`, seq: from + at, kind: "plain", way: [], attempts: [] };
        return { topic: name, key: bytes(value.key), value: bytes(JSON.stringify(value)), headers: [] };
      }),
    );
  const said = (event: string) =>
    eventually(`the line "${event}"`, () => lines.some((line) => line.event.startsWith(event)));
  try {
    await send(0);
    await admin.createPartitions(name, AFTER);
    await said("a topic's partitions changed");
    await send(MESSAGES);
    await eventually("all messages of old and new partitions", () => seen.size === 2 * MESSAGES);
    const [change] = lines.filter(({ event }) => event.startsWith("a topic's partitions changed"));
    const right = change?.["before"] === BEFORE && change["partitions"] === AFTER;
    await admin.deleteTopics([name]);
    await said("a topic is gone");
    await said("bus: topic_missing");
    return verdictOf({
      successes: seen.size,
      complaints: right ? [] : [`said of the change: ${JSON.stringify(change)}`],
    });
  } finally {
    watch.stop();
    await consumer.stop(1_000);
    admin.close();
    await bus.close(1_000);
  }
}

export const topicCases: readonly FaultCase[] = [
  {
    number: 30,
    title: "a topic gets more partitions while it is read, then is deleted",
    expected: "both are said; all messages of old and new partitions are handled",
    quick: true,
    run: changed,
  },
];
