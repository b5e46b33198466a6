/** What only a real Apache Kafka can show: agreement with its own tools. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { Admin, ERROR, type Library } from "../../runtime/kafka/index.ts";
import { bytes, join, takeCount, textOf } from "../bus/owner.ts";
import { type KafkaBroker, sharedKafka } from "../services/kafka.ts";
import { testLibrary } from "./library.ts";

const TIMEOUT_MS = 60_000;

describe("beside Kafka's own tools", () => {
  let library: Library;
  let kafka: KafkaBroker;
  let admin: Admin;

  beforeAll(async () => {
    [library, kafka] = await Promise.all([testLibrary(), sharedKafka()]);
    admin = await Admin.open({ library, config: { "bootstrap.servers": kafka.brokers } });
  }, 180_000);
  afterAll(() => admin.close());

  const newTopic = async (partitions: number): Promise<string> => {
    const name = `t-${crypto.randomUUID()}`;
    expect(await admin.createTopics([{ name, partitions }])).toMatchObject([{ err: ERROR.none }]);
    return name;
  };
  const openBus = (compression = "none") =>
    createKafkaBus({
      library,
      brokers: kafka.brokers,
      clientId: "tools",
      producerConfig: { "compression.type": compression },
    });

  test(
    "the same key lands on the same partition from the console producer and from us",
    async () => {
      const topic = await newTopic(12);
      const keys = Array.from({ length: 60 }, (_, at) => `key-${at}-ñ`);
      await kafka.consoleProducer({
        topic,
        lines: keys.map((key) => `${key}\ttheirs`),
        args: ["--reader-property", "parse.key=true"],
      });
      const bus = await openBus();
      const ours = await bus.publish(
        keys.map((key) => ({ topic, key: bytes(key), value: bytes("ours"), headers: [] })),
      );
      const { subscription } = await join(bus, { group: `g-${topic}`, topics: [topic] });
      const records = await takeCount(subscription, keys.length * 2);
      const theirs = new Map(
        records
          .filter(({ value }) => textOf(value) === "theirs")
          .map((record) => [textOf(record.key), record.partition]),
      );
      expect([...ours].map(({ partition }) => partition)).toEqual(keys.map((key) => theirs.get(key) ?? -1));
      await bus.close();
    },
    TIMEOUT_MS,
  );

  test(
    "what we write compressed, the console consumer reads, and we read it back",
    async () => {
      const topic = await newTopic(1);
      const kinds = ["none", "lz4", "zstd", "gzip", "snappy"];
      for (const kind of kinds) {
        const bus = await openBus(kind);
        await bus.publish([{ topic, key: null, value: bytes(`${kind} `.repeat(50)), headers: [] }]);
        await bus.close();
      }
      const lines = await kafka.consoleConsumer({ topic, count: kinds.length });
      expect(lines.map((line) => line.split(" ")[0])).toEqual(kinds);
      const bus = await openBus();
      const { subscription } = await join(bus, { group: `g-${topic}`, topics: [topic] });
      const records = await takeCount(subscription, kinds.length);
      expect(records.map(({ value }) => textOf(value)?.split(" ")[0])).toEqual(kinds);
      await bus.close();
    },
    TIMEOUT_MS,
  );

  test(
    "topics are made with their settings, described, refused by name, and deleted",
    async () => {
      const topic = await newTopic(2);
      const again = await admin.createTopics([
        { name: topic, partitions: 2 },
        { name: "no/such name", partitions: 1 },
        { name: `${topic}-bad`, partitions: 1, config: { "no.such.setting": "1" } },
      ]);
      expect(new Map(again.map((answer) => [answer.name, answer.err])).get(topic)).toBe(ERROR.topicExists);
      expect(again.filter(({ err }) => err === ERROR.none)).toEqual([]);
      expect(again.every(({ detail }) => detail !== "")).toBe(true);
      expect(await admin.describeTopics([topic])).toMatchObject([
        { name: topic, partitions: 2, err: ERROR.none },
      ]);
      expect(await admin.deleteTopics([topic])).toMatchObject([{ err: ERROR.none }]);
    },
    TIMEOUT_MS,
  );
});
