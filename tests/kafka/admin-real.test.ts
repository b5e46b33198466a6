/** What an operator asks of a real cluster: groups, partitions, records; and what a client says of itself. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import {
  Admin,
  type ClientStatistics,
  ERROR,
  type Library,
  Producer,
  readStatistics,
} from "../../runtime/kafka/index.ts";
import { bytes, textOf } from "../bus/owner.ts";
import { type KafkaBroker, sharedKafka } from "../services/kafka.ts";
import { testLibrary } from "./library.ts";
import { joinAs, type Reader } from "./reader.ts";

const TIMEOUT_MS = 60_000;

describe("administration of a real cluster", () => {
  let library: Library;
  let kafka: KafkaBroker;
  let admin: Admin;
  let producer: Producer;
  let config: { "bootstrap.servers": string };
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    [library, kafka] = await Promise.all([testLibrary(), sharedKafka()]);
    config = { "bootstrap.servers": kafka.brokers };
    admin = await Admin.open({ library, config });
    producer = await Producer.open({ library, config });
  }, 180_000);
  afterEach(async () => {
    await Promise.all(open.splice(0).map((client) => client.close()));
  });
  afterAll(async () => {
    await producer.close();
    admin.close();
  });

  const newTopic = async (partitions: number): Promise<string> => {
    const name = `t-${crypto.randomUUID()}`;
    expect(await admin.createTopics([{ name, partitions }])).toMatchObject([{ err: ERROR.none }]);
    return name;
  };
  const join = async (topic: string, more: Parameters<typeof joinAs>[0]["more"] = {}): Promise<Reader> => {
    const reader = await joinAs({ library, config, group: `g-${topic}`, topic, more });
    open.push(reader.consumer);
    return reader;
  };

  for (const groupProtocol of ["classic", "consumer"] as const) {
    test(
      `a ${groupProtocol} group is listed and described with its static member, and empty once it is gone`,
      async () => {
        const topic = await newTopic(2);
        const group = `g-${topic}`;
        const reader = await join(topic, { groupProtocol, groupInstanceId: "worker-1" });
        const type = groupProtocol === "classic" ? "Classic" : "Consumer";
        expect(await admin.listGroups()).toContainEqual({ group, state: "Stable", type });
        expect(await admin.describeGroups([group])).toMatchObject([
          {
            group,
            err: ERROR.none,
            state: "Stable",
            type,
            members: [
              {
                groupInstanceId: "worker-1",
                clientId: "rdkafka",
                partitions: [
                  { topic, partition: 0 },
                  { topic, partition: 1 },
                ],
              },
            ],
          },
        ]);
        await reader.consumer.close();
        const dynamic = `g2-${topic}`;
        const other = await joinAs({ library, config, group: dynamic, topic, more: { groupProtocol } });
        await other.consumer.close();
        expect(await admin.describeGroups([dynamic])).toMatchObject([{ state: "Empty", members: [] }]);
      },
      TIMEOUT_MS,
    );
  }

  test(
    "a static member that restarts gets its partitions back without a rebalance of the others",
    async () => {
      const topic = await newTopic(2);
      const group = `g-${topic}`;
      const fixed = (name: string) => ({ groupProtocol: "classic" as const, groupInstanceId: name });
      const first = await join(topic, fixed("one"));
      const second = await join(topic, fixed("two"));
      await until(() => first.consumer.partitions.length === 1);
      const kept = first.consumer.partitions;
      const toldBefore = first.started.length;
      await second.consumer.close();
      const again = await join(topic, fixed("two"));
      expect(again.consumer.partitions.length).toBe(1);
      expect(first.consumer.partitions).toEqual(kept);
      expect(first.started.length).toBe(toldBefore);
      expect(await admin.describeGroups([group])).toMatchObject([{ state: "Stable" }]);
    },
    TIMEOUT_MS,
  );

  test(
    "a group that does not exist is said to be so, one entry per name",
    async () => {
      const name = `none-${crypto.randomUUID()}`;
      const [described] = await admin.describeGroups([name]);
      expect(described).toMatchObject({ group: name, members: [] });
      expect(described?.state === "Dead" || described?.err === ERROR.groupNotFound).toBe(true);
    },
    TIMEOUT_MS,
  );

  test(
    "partitions are added, and a number that is not larger is refused in words",
    async () => {
      const topic = await newTopic(1);
      expect(await admin.createPartitions(topic, 3)).toMatchObject({ name: topic, err: ERROR.none });
      expect(await admin.describeTopics([topic])).toMatchObject([{ partitions: 3 }]);
      const refused = await admin.createPartitions(topic, 2);
      expect(refused.err).not.toBe(ERROR.none);
      expect(refused.detail).not.toBe("");
    },
    TIMEOUT_MS,
  );

  test(
    "records below an offset are deleted, and one beyond the end is refused",
    async () => {
      const topic = await newTopic(1);
      await producer.produce(["a", "b", "c"].map((value) => record(topic, value)));
      expect(await admin.deleteRecords([{ topic, partition: 0, offset: 2 }])).toEqual([
        { topic, partition: 0, err: ERROR.none, firstOffset: 2, detail: "" },
      ]);
      expect(await admin.listOffsets([{ topic, partition: 0 }], "earliest")).toMatchObject([{ offset: 2 }]);
      const [refused] = await admin.deleteRecords([{ topic, partition: 0, offset: 99 }]);
      expect(refused).toMatchObject({ err: ERROR.offsetOutOfRange, firstOffset: undefined });
      const reader = await join(topic);
      expect((await reader.read(1)).map(({ value }) => textOf(value))).toEqual(["c"]);
    },
    TIMEOUT_MS,
  );

  test(
    "statistics tell of brokers, partitions and the group in numbers",
    async () => {
      const topic = await newTopic(1);
      await producer.produce([record(topic, "a"), record(topic, "b")]);
      const told = Promise.withResolvers<ClientStatistics>();
      const reader = await join(topic, {
        onEvent: (event) => {
          if (event.kind !== "statistics") return;
          const statistics = readStatistics(event.json);
          if (statistics.receivedRecords === 2) told.resolve(statistics);
        },
      });
      await reader.read(2);
      await reader.consumer.commit([{ topic, partition: 0, offset: 1 }]);
      const statistics = await told.promise;
      expect(statistics).toMatchObject({ kind: "consumer", group: { state: "up", partitions: 1 } });
      expect(statistics.brokers).toMatchObject([{ name: kafka.brokers, state: "UP" }]);
      expect(statistics.partitions.map((partition) => partition.topic)).toEqual([topic]);
    },
    TIMEOUT_MS,
  );

  test(
    "what the console producer writes compressed, we read",
    async () => {
      const topic = await newTopic(1);
      const codecs = ["lz4", "zstd", "gzip", "snappy"];
      for (const codec of codecs) {
        await kafka.consoleProducer({
          topic,
          lines: Array.from({ length: 20 }, () => `${codec} `.repeat(50)),
          args: ["--compression-codec", codec],
        });
      }
      const records = await (await join(topic)).read(codecs.length * 20);
      const firstWords = records.map(({ value }) => textOf(value)?.split(" ")[0]);
      expect(firstWords).toEqual(codecs.flatMap((codec) => Array.from({ length: 20 }, () => codec)));
    },
    TIMEOUT_MS,
  );
});

test("statistics that are none are refused, and empty ones are zeros", () => {
  expect(() => readStatistics("{")).toThrow("statistics cannot be read");
  expect(readStatistics("{}")).toMatchObject({
    sentRecords: 0,
    brokers: [],
    partitions: [],
    group: undefined,
  });
});

function record(topic: string, value: string) {
  return { topic, key: null, value: bytes(value), headers: [] };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(20);
}
