/**
 * One handler whose outputs are there exactly once, in this process, on a real Apache Kafka.
 *
 * In: how many messages lie on its topic, the handler. Out: word of what is settled, its outputs as a reader of committed records sees
 * them. Never here: rows in a database; what waits, waits in memory.
 */
import * as v from "valibot";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { startConsumer, type Consumer } from "../../runtime/engine/consumer.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import type { Settled } from "../../runtime/engine/outcome.ts";
import { type Clock, systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { topic, type Handler } from "../../runtime/index.ts";
import { createMemoryStore, type MemoryStore } from "../../runtime/store/memory.ts";
import { bytes, textOf } from "../bus/owner.ts";
import { wholeTopic } from "../bus/whole-topic.ts";
import { testLibrary } from "../kafka/library.ts";
import { sharedKafka } from "../services/kafka.ts";

function topicsOf(name: string) {
  const schema = v.object({ n: v.number() });
  return { from: topic(name, { schema }), passed: topic(`${name}-out`, { schema }) };
}

export interface OnceStage {
  /** The one that runs now. */
  readonly consumer: Consumer;
  /** Gives it up at once, with nothing committed, and starts the next. */
  restart(): Promise<void>;
  readonly store: MemoryStore;
  /** What was told as settled, so far. */
  readonly settled: readonly Settled[];
  /** Resolves once it holds after something was settled. */
  until(holds: () => boolean): Promise<void>;
  /** The numbers that lie on the output topic, in order. */
  outputs(): Promise<readonly number[]>;
  close(): Promise<void>;
}

/** Puts numbers on a topic of one partition, and starts the handler that is made for it. */
export async function onceStage(options: {
  readonly messages: number;
  readonly handler: (topics: ReturnType<typeof topicsOf>) => Handler;
  readonly clock?: Clock;
  /** Where the handler finds the broker, when not where the test does. */
  readonly workerBrokers?: string;
  readonly brokers?: string;
}): Promise<OnceStage> {
  const { messages, clock = systemClock } = options;
  const brokers = options.brokers ?? (await sharedKafka()).brokers;
  const library = await testLibrary();
  const bus = await createKafkaBus({ library, brokers, clientId: "stage" });
  const { workerBrokers = brokers } = options;
  const worker = await createKafkaBus({ library, brokers: workerBrokers, clientId: "worker" });
  const topics = topicsOf(`stage-${crypto.randomUUID()}`);
  const tested = options.handler(topics);
  const names = namesFor(topics.from.name, tested);
  const wanted = [topics.from.name, topics.passed.name, names.retryTopic, names.deadLetterTopic];
  await bus.ensureTopics(wanted.map((name) => ({ name, partitions: 1, provision: "create" })));
  await bus.publish(
    Array.from({ length: messages }, (_, n) => ({
      topic: topics.from.name,
      key: null,
      value: bytes(JSON.stringify({ n })),
      headers: [],
    })),
  );
  const store = createMemoryStore({ clock });
  const settled: Settled[] = [];
  const looks = new Set<() => void>();
  const start = () =>
    startConsumer({
      handler: tested,
      names,
      deps: {},
      bus: worker,
      store,
      clock,
      random: Math.random,
      log: silentLog,
      settled: (_processed, outcome) => {
        settled.push(outcome);
        for (const look of looks) look();
      },
    });
  let consumer = await start();
  return {
    get consumer() {
      return consumer;
    },
    async restart() {
      await consumer.stop(0);
      consumer = await start();
    },
    store,
    settled,
    until: (holds) =>
      new Promise((resolve) => {
        const look = () => {
          if (!holds()) return;
          looks.delete(look);
          resolve();
        };
        looks.add(look);
        look();
      }),
    outputs: async () =>
      (await wholeTopic(bus, { topic: topics.passed.name, partitions: 1 })).map(({ value }) =>
        Number(JSON.parse(textOf(value) ?? "").n),
      ),
    async close() {
      await consumer.stop(5_000);
      await Promise.all([worker.close(), bus.close()]);
    },
  };
}
