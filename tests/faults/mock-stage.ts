/**
 * A small pipeline of one hop inside this process, on librdkafka's mock cluster, whose requests can be made to fail.
 *
 * In: properties, a handler where the usual one does not do. Out: a cluster to do harm to, a consumer, a verdict.
 * Never here: the harm; child processes.
 */
import { audit, describeAnomalies, type AuditRules } from "cauce/testing";
import { handler, topic, type Handler } from "cauce";
import type { Bus, OutgoingRecord } from "../../runtime/bus/bus.ts";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { startConsumer, type Consumer } from "../../runtime/engine/consumer.ts";
import { recordOf } from "../../runtime/engine/emit.ts";
import { deriveId } from "../../runtime/engine/envelope.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import type { Log, LogFields } from "../../runtime/ground/log.ts";
import { MOCK_CLIENTS, MockCluster, type ClientConfig } from "../../runtime/kafka/index.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import { testLibrary } from "../kafka/library.ts";
import { eventually } from "../system/stage.ts";
import { verdictOf } from "./case.ts";
import { Numbered, type Numbered as Value } from "./pipeline.ts";
import { TopicReader, type Seen } from "./reader.ts";
import type { RunVerdict } from "./run.ts";

const KEYS = 20;
const PARTITIONS = 4;

export const input = topic("in", {
  schema: Numbered,
  key: (value: Value) => value.key,
  partitions: PARTITIONS,
});
export const output = topic("out", {
  schema: Numbered,
  key: (value: Value) => value.key,
  partitions: PARTITIONS,
});

/** One hop, straight through. */
export const straight = handler({
  name: "straight",
  on: input,
  out: { output },
  order: { by: "key", whileRetrying: "skip" },
  concurrency: 16,
  handle: ({ value }, { out }) => out.output(value),
});

export function mockNumbered(n: number): Value {
  return {
    id: `m-${n}`,
    key: `k${n % KEYS}`,
    seq: Math.floor(n / KEYS),
    kind: "plain",
    way: [],
    attempts: [],
  };
}

export interface LogLine extends LogFields {
  readonly event: string;
}

export interface MockStageOptions {
  readonly brokers?: number;
  readonly handler?: Handler;
  readonly producerConfig?: ClientConfig;
  readonly consumerConfig?: ClientConfig;
  /** Default: the one in which mock clusters are quick. */
  readonly groupProtocol?: "classic" | "consumer";
}

export class MockStage {
  readonly cluster: MockCluster;
  /** What the consumers under test said. */
  readonly lines: LogLine[] = [];
  readonly store = createMemoryStore({ clock: systemClock });
  readonly #options: MockStageOptions;
  readonly #sender: Bus;
  readonly #reader: TopicReader;
  readonly #open: (() => Promise<void>)[] = [];
  #sent = 0;

  /** Runs `work` on a stage of its own, and clears it away. */
  static async with(
    options: MockStageOptions,
    work: (stage: MockStage) => Promise<RunVerdict>,
  ): Promise<RunVerdict> {
    const library = await testLibrary();
    const { brokers = 1, handler: tested = straight } = options;
    const cluster = MockCluster.start({ library, brokers });
    const names = namesFor("mock", tested);
    for (const name of [input.name, output.name, names.retryTopic]) cluster.createTopic(name, PARTITIONS);
    cluster.createTopic(names.deadLetterTopic, 1);
    const sender = await createKafkaBus({
      library,
      brokers: cluster.bootstrap,
      clientId: "sender",
      ...MOCK_CLIENTS,
    });
    const reader = await TopicReader.open(sender, output.name);
    const stage = new MockStage({ cluster, options, sender, reader });
    try {
      return await work(stage);
    } finally {
      for (const close of stage.#open.toReversed()) await close();
      await reader.close();
      await sender.close(1_000);
      cluster.close();
    }
  }

  private constructor(parts: {
    cluster: MockCluster;
    options: MockStageOptions;
    sender: Bus;
    reader: TopicReader;
  }) {
    this.cluster = parts.cluster;
    this.#options = parts.options;
    this.#sender = parts.sender;
    this.#reader = parts.reader;
  }

  get through(): number {
    return this.#reader.ids.size;
  }

  /** How many numbered messages were sent. */
  get sent(): number {
    return this.#sent;
  }

  /** What has come out, repeats included. */
  get values(): readonly Value[] {
    return this.#reader.sightings.map(({ value }) => value);
  }

  /** Outputs that lie on one partition. */
  outputsOn(wanted: number): number {
    return this.#reader.sightings.filter(({ partition }) => partition === wanted).length;
  }

  /** Starts a consumer with a bus of its own. */
  async consume(): Promise<Consumer> {
    const { handler: tested = straight, producerConfig = {}, consumerConfig = {} } = this.#options;
    const bus = await createKafkaBus({
      library: await testLibrary(),
      brokers: this.cluster.bootstrap,
      clientId: "tested",
      groupProtocol: this.#options.groupProtocol ?? MOCK_CLIENTS.groupProtocol,
      producerConfig: { "message.timeout.ms": 5_000, ...producerConfig },
      consumerConfig: { ...MOCK_CLIENTS.consumerConfig, ...consumerConfig },
    });
    const consumer = await startConsumer({
      handler: tested,
      names: namesFor("mock", tested),
      deps: {},
      bus,
      store: this.store,
      clock: systemClock,
      random: Math.random,
      log: keepLines(this.lines),
    });
    this.#open.push(async () => {
      await consumer.stop(1_000);
      await bus.close(1_000);
    });
    return consumer;
  }

  /** Sends so many more, each as `shape` makes it, and waits for the acknowledgement. */
  async send(messages: number, shape: (value: Value) => Value = (value) => value): Promise<void> {
    const numbers = Array.from({ length: messages }, (_, at) => this.#sent + at);
    this.#sent += messages;
    const records = await Promise.all(
      numbers.map(async (n) =>
        recordOf(input, shape(mockNumbered(n)), {
          id: `m-${n}`,
          bornAtMs: 0,
          traceparent: null,
          source: "/faults",
        }),
      ),
    );
    await this.#sender.publish(records);
  }

  async sendBytes(value: Uint8Array): Promise<void> {
    await this.sendRecord({ topic: input.name, key: null, value, headers: [] });
  }

  async sendRecord(record: OutgoingRecord): Promise<void> {
    await this.#sender.publish([record]);
  }

  /** Resolves once so many different outputs have come. */
  async outputs(least: number): Promise<void> {
    await this.#reader.until(`${least} outputs`, () => this.through >= least, WITHIN_MS);
  }

  /** Resolves once the group has committed everything. */
  async committed(): Promise<void> {
    const { handler: tested = straight } = this.#options;
    const { group } = namesFor("mock", tested);
    await eventually("everything is committed", async () => {
      const backlog = await this.#sender.backlog([{ group, topics: [input.name] }]);
      return backlog.every(({ records }) => records === 0);
    });
  }

  /** Resolves once a consumer under test has said this. */
  async said(event: string): Promise<void> {
    await eventually(`the line "${event}"`, () => this.lines.some((line) => line.event === event));
  }

  /** What came out, judged; `not` are numbers that must not come out. */
  verdict(
    rules: Pick<AuditRules<Seen>, "mayRepeat"> = {},
    { not = [], complaints = [] }: { not?: readonly number[]; complaints?: readonly string[] } = {},
  ): RunVerdict {
    const numbers = Array.from({ length: this.#sent }, (_, n) => n).filter((n) => !not.includes(n));
    const verdict = audit({
      ledger: numbers.map((n) => {
        const { id, key, seq } = mockNumbered(n);
        return { id: deriveId(id, "output", 0), key, seq, acked: true };
      }),
      sightings: this.#reader.sightings,
      rules: { leastSuccesses: numbers.length, ...rules },
    });
    const found = describeAnomalies(verdict);
    return verdictOf({ ...verdict, complaints: found === "" ? complaints : [found, ...complaints] });
  }
}

const WITHIN_MS = 30_000;

export function keepLines(lines: LogLine[]): Log {
  const keep = (event: string, fields: LogFields = {}) => void lines.push({ event, ...fields });
  const log: Log = { debug: keep, info: keep, warn: keep, error: keep, with: () => log };
  return log;
}
