/** Transactions on Apache Kafka: outputs and offsets together or not at all, and one living producer per id. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { Admin, ERROR, type Library } from "../../runtime/kafka/index.ts";
import { rejection } from "../bus/contract-stage.ts";
import { bytes, textOf } from "../bus/owner.ts";
import { type OwnKafkaBroker, startKafka } from "../services/kafka.ts";
import { testLibrary } from "./library.ts";
import { joinAs, type Reader } from "./reader.ts";
import { initialised } from "./transactional.ts";

const TIMEOUT_MS = 90_000;

describe("transactions on Apache Kafka", () => {
  let library: Library;
  let kafka: OwnKafkaBroker;
  let admin: Admin;
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    [library, kafka] = await Promise.all([testLibrary(), startKafka()]);
    admin = await Admin.open({ library, config: { "bootstrap.servers": kafka.brokers } });
  }, 180_000);
  afterEach(async () => {
    await Promise.all(open.splice(0).map((client) => client.close()));
  });
  afterAll(async () => {
    admin.close();
    await kafka.stop();
  });

  const newTopic = async (): Promise<string> => {
    const name = `t-${crypto.randomUUID()}`;
    expect(await admin.createTopics([{ name, partitions: 1 }])).toMatchObject([{ err: ERROR.none }]);
    return name;
  };
  const newProducer = (id: string = crypto.randomUUID(), timeoutMs = 10_000) =>
    initialised({
      library,
      brokers: kafka.brokers,
      id,
      timeoutMs,
      opened: (producer) => open.push(producer),
    });
  const join = async (topic: string, group: string): Promise<Reader> => {
    const reader = await joinAs({ library, config: { "bootstrap.servers": kafka.brokers }, group, topic });
    open.push(reader.consumer);
    return reader;
  };

  test(
    "a reader of committed records sees all of a transaction or nothing",
    async () => {
      const topic = await newTopic();
      const producer = await newProducer();
      await producer.begin();
      await producer.produce([record(topic, "aborted 1"), record(topic, "aborted 2")]);
      await producer.abort();
      await producer.begin();
      await producer.produce([record(topic, "committed 1"), record(topic, "committed 2")]);
      const reader = await join(topic, `g-${topic}`);
      const early = reader.read(1);
      await producer.produce([record(topic, "committed 3")]);
      await producer.commit();
      const seen = [...(await early), ...(await reader.read(2))];
      expect(seen.map(({ value }) => textOf(value))).toEqual(["committed 1", "committed 2", "committed 3"]);
      const lines = await kafka.consoleConsumer({
        topic,
        count: 3,
        args: ["--isolation-level", "read_committed"],
      });
      expect(lines).toEqual(["committed 1", "committed 2", "committed 3"]);
    },
    TIMEOUT_MS,
  );

  test(
    "offsets count when the outputs do, with what lies beside them, and not after an abort",
    async () => {
      const [source, sink] = [await newTopic(), await newTopic()];
      const group = `g-${source}`;
      const producer = await newProducer();
      await producer.begin();
      await producer.produce([record(source, "in 0"), record(source, "in 1")]);
      await producer.commit();
      const reader = await join(source, group);
      await reader.read(2);
      const step = async (offset: number, output: string) => {
        await producer.begin();
        await producer.produce([record(sink, output)]);
        const offsets = [{ topic: source, partition: 0, offset, metadata: `after ${output}` }];
        await producer.sendOffsets(offsets, reader.consumer.groupMetadata());
      };
      // The markers of a transaction are written after its end was acknowledged: until then the answer is "again".
      const committed = async (): Promise<unknown> => {
        for (;;) {
          try {
            return await admin.committedOffsets(group, [{ topic: source, partition: 0 }]);
          } catch (error) {
            expect(error).toMatchObject({ code: "broker", retryable: true });
          }
        }
      };
      await step(1, "out 0");
      await producer.commit();
      expect(await committed()).toMatchObject([{ offset: 1, metadata: "after out 0" }]);
      await step(2, "out 1, aborted");
      await producer.abort();
      expect(await committed()).toMatchObject([{ offset: 1, metadata: "after out 0" }]);
      await step(2, "out 1");
      await producer.commit();
      expect(await committed()).toMatchObject([{ offset: 2, metadata: "after out 1" }]);
      const outputs = await (await join(sink, `g-${sink}`)).read(2);
      expect(outputs.map(({ value }) => textOf(value))).toEqual(["out 0", "out 1"]);
    },
    TIMEOUT_MS,
  );

  test(
    "a second producer of the same id fences the first, and what that left open is taken back",
    async () => {
      const topic = await newTopic();
      const id = crypto.randomUUID();
      const first = await newProducer(id);
      await first.begin();
      await first.produce([record(topic, "the first one's")]);
      const second = await newProducer(id);
      expect(await rejection(first.commit())).toMatchObject({ remedy: "replace", code: "producer_fatal" });
      expect(first.spent).toBeDefined();
      await second.begin();
      await second.produce([record(topic, "the second one's")]);
      await second.commit();
      const [seen] = await (await join(topic, `g-${topic}`)).read(1);
      expect(textOf(seen?.value ?? null)).toBe("the second one's");
    },
    TIMEOUT_MS,
  );

  test(
    "offsets of a member that has left its group are refused",
    async () => {
      const [source, sink] = [await newTopic(), await newTopic()];
      const producer = await newProducer();
      const gone = await join(source, `g-${source}`);
      const metadata = gone.consumer.groupMetadata();
      await gone.consumer.close();
      await join(source, `g-${source}`);
      await producer.begin();
      await producer.produce([record(sink, "v")]);
      expect(
        await rejection(producer.sendOffsets([{ topic: source, partition: 0, offset: 1 }], metadata)),
      ).toMatchObject({ remedy: "abort" });
      await producer.abort();
    },
    TIMEOUT_MS,
  );

  test(
    "a broker that dies in mid-transaction leaves nothing half visible",
    async () => {
      const topic = await newTopic();
      const id = crypto.randomUUID();
      const producer = await newProducer(id, 2_000);
      await producer.begin();
      await producer.produce([record(topic, "lost")]);
      await kafka.kill();
      expect(await rejection(producer.commit())).toMatchObject({ remedy: "replace" });
      await producer.close();
      await kafka.restart();
      const successor = await newProducer(id);
      await successor.begin();
      await successor.produce([record(topic, "kept")]);
      await successor.commit();
      const [seen] = await (await join(topic, `g-${topic}`)).read(1);
      expect(textOf(seen?.value ?? null)).toBe("kept");
    },
    TIMEOUT_MS,
  );
});

function record(topic: string, value: string) {
  return { topic, key: null, value: bytes(value), headers: [] };
}
