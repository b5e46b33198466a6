/** The mock cluster as a tool for tests: what can be injected, and each row of the table of what it does not serve. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { partitionOf } from "../../runtime/bus/murmur2.ts";
import {
  Admin,
  type ClientConfig,
  type Library,
  MockCluster,
  Producer,
  TransactionalProducer,
} from "../../runtime/kafka/index.ts";
import { bytes, textOf } from "../bus/owner.ts";
import { testLibrary } from "./library.ts";
import { joinAs } from "./reader.ts";

const BROKER_ERROR = { invalidRecord: 87, groupAuthorization: 30 } as const;
const TIMEOUT_MS = 30_000;
const PARTITIONS = 2;
/** A key for each of two partitions. */
const KEYS = Array.from({ length: PARTITIONS }, (_, partition) =>
  ["a", "b", "c", "d", "e", "f"].map(bytes).find((key) => partitionOf(key, PARTITIONS) === partition),
);

let library: Library;
let cluster: MockCluster;
const toClose: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  library = await testLibrary();
  cluster = MockCluster.start({ library });
});
afterEach(async () => {
  await Promise.all(toClose.splice(0).map((open) => open.close()));
});
afterAll(() => cluster.close());

const newTopic = (partitions = PARTITIONS): string => {
  const topic = `t-${crypto.randomUUID()}`;
  cluster.createTopic(topic, partitions);
  return topic;
};
async function openProducer(config: ClientConfig = {}): Promise<Producer> {
  const producer = await Producer.open({
    library,
    config: { "bootstrap.servers": cluster.bootstrap, ...config },
  });
  toClose.push({ close: () => producer.close(0) });
  return producer;
}
async function openAdmin(timeoutMs = 10_000): Promise<Admin> {
  const admin = await Admin.open({ library, config: { "bootstrap.servers": cluster.bootstrap }, timeoutMs });
  toClose.push({ close: () => Promise.resolve(admin.close()) });
  return admin;
}
const record = (topic: string, partition: number, value: Uint8Array = bytes("v")) => ({
  topic,
  key: KEYS[partition] ?? null,
  value,
  headers: [],
});
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "it resolved",
    (error: unknown) => error,
  );

describe("what a test may inject", () => {
  test("an error for one partition leaves the others of the same request alone", async () => {
    const topic = newTopic();
    const producer = await openProducer({ "linger.ms": 50 });
    cluster.pushPartitionErrors("produce", { topic, partition: 1 }, [BROKER_ERROR.invalidRecord]);
    const [kept, refused] = await Promise.all([
      producer.produce([record(topic, 0)]),
      rejection(producer.produce([record(topic, 1)])),
    ]);
    expect(kept.at(0)).toMatchObject({ partition: 0, offset: 0 });
    expect(refused).toMatchObject({ code: "broker", retryable: false });
    expect(String(refused)).toContain("INVALID_RECORD");
    // One error, one request.
    expect((await producer.produce([record(topic, 1)])).at(0)).toMatchObject({ partition: 1, offset: 0 });
  });

  test("one answer comes late, with or without an error, and what others ask meanwhile is answered at once", async () => {
    const topic = newTopic();
    const [producer, admin] = await Promise.all([openProducer(), openAdmin()]);
    await producer.produce([record(topic, 0), record(topic, 1)]);
    cluster.pushAnswers("produce", [{ delayMs: 1_500 }]);
    const order: string[] = [];
    const late = producer.produce([record(topic, 0)]).then((positions) => {
      order.push("produce");
      return positions;
    });
    await admin.listOffsets([{ topic, partition: 0 }], "latest");
    order.push("list offsets");
    expect((await late).at(0)?.offset).toBe(1);
    expect(order).toEqual(["list offsets", "produce"]);

    const other = newTopic();
    cluster.pushAnswers("produce", [{ err: BROKER_ERROR.invalidRecord, delayMs: 10 }]);
    const refused = await rejection(producer.produce([record(other, 0)]));
    expect(refused).toMatchObject({ code: "broker", retryable: false });
  });

  test("a partition and a broker that there are not are refused", () => {
    const topic = newTopic();
    const error = [BROKER_ERROR.invalidRecord];
    expect(() => cluster.pushPartitionErrors("produce", { topic, partition: PARTITIONS }, error)).toThrow(
      "UNKNOWN_TOPIC_OR_PART",
    );
    expect(() => cluster.pushAnswers("produce", [{ delayMs: 1 }], 7)).toThrow("UNKNOWN_BROKER");
  });

  test(
    "a group's coordinator moves to another broker, and its member commits there from then on",
    async () => {
      const topic = `t-${crypto.randomUUID()}`;
      const two = MockCluster.start({ library, brokers: 2 });
      two.createTopic(topic, 1);
      const group = `g-${topic}`;
      const reader = await joinAs({
        library,
        config: { "bootstrap.servers": two.bootstrap, "fetch.wait.max.ms": 10 },
        group,
        topic,
        more: { groupProtocol: "consumer" },
      });
      const commit = async () => {
        await reader.consumer.commit([{ topic, partition: 0, offset: 1 }]);
        return null;
      };
      for (const broker of [1, 2, 1]) {
        two.moveGroup(group, broker);
        two.pushAnswers("offsetCommit", [{ err: BROKER_ERROR.groupAuthorization }], broker);
        // Any broker takes a commit; the member hears of the move with its next heartbeat, and asks the new one from then on.
        let refused: unknown = null;
        while (refused === null) refused = await commit().catch((error: unknown) => error);
        expect(refused).toMatchObject({ code: "broker", retryable: false });
        await commit();
      }
      await reader.consumer.close();
      two.close();
    },
    TIMEOUT_MS,
  );
});

describe("what it does not serve", () => {
  test("durability: beyond some 5 MiB a partition the oldest records are gone without a word", async () => {
    const topic = newTopic(1);
    const [producer, admin] = await Promise.all([openProducer(), openAdmin()]);
    const value = new Uint8Array(100_000);
    for (let at = 0; at < 80; at++) await producer.produce([record(topic, 0, value)]);
    const [first] = await admin.listOffsets([{ topic, partition: 0 }], "earliest");
    expect(first?.offset).toBeWithin(1, 80);
  });

  const requests: Readonly<Record<string, (admin: Admin, topic: string) => Promise<unknown>>> = {
    "creating topics": (admin) => admin.createTopics([{ name: "new", partitions: 1 }]),
    "deleting topics": (admin, topic) => admin.deleteTopics([topic]),
    "growing topics": (admin, topic) => admin.createPartitions(topic, 9),
    "deleting records": (admin, topic) => admin.deleteRecords([{ topic, partition: 0, offset: 0 }]),
    "listing groups": (admin) => admin.listGroups(),
    "describing groups": (admin) => admin.describeGroups(["g"]),
  };
  for (const [title, ask] of Object.entries(requests)) {
    test(`${title}: refused in bounded time, never answered`, async () => {
      const admin = await openAdmin(1_000);
      const topic = newTopic();
      const answer = await ask(admin, topic).catch((error: unknown) => ({ error: String(error) }));
      expect(JSON.stringify(answer)).toMatch(/UNSUPPORTED_FEATURE|not supported|No leaders found|_TIMED_OUT/);
    });
  }

  test("transactions: what is written in one that is taken back can be read by everybody", async () => {
    const topic = newTopic(1);
    const config = { "bootstrap.servers": cluster.bootstrap };
    const producer = await TransactionalProducer.open({ library, config, transactionalId: topic });
    toClose.push(producer);
    await producer.init();
    await producer.begin();
    await producer.produce([record(topic, 0, bytes("taken back"))]);
    await producer.abort();
    const reader = await joinAs({
      library,
      config: { ...config, "fetch.wait.max.ms": 10, "isolation.level": "read_committed" },
      group: `g-${topic}`,
      topic,
      more: { groupProtocol: "consumer" },
    });
    toClose.push(reader.consumer);
    expect((await reader.read(1)).map(({ value }) => textOf(value))).toEqual(["taken back"]);
  });

  test(
    "SASL: a client that asks for it never gets in, and is told so",
    async () => {
      const producer = await openProducer({
        "security.protocol": "sasl_plaintext",
        "sasl.mechanisms": "PLAIN",
        "sasl.username": "alice",
        "sasl.password": "secret",
        "message.timeout.ms": 1_000,
      });
      const refused = await rejection(producer.produce([record(newTopic(), 0)]));
      expect(refused).toMatchObject({ code: "broker", retryable: true });
    },
    TIMEOUT_MS,
  );
});
