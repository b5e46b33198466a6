/** The consumer's promises under faults, on the mock cluster. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import type { Bus } from "../../runtime/bus/bus.ts";
import {
  Admin,
  Consumer,
  type ConsumerOptions,
  type Library,
  MOCK_CLIENTS,
  MockCluster,
  Producer,
} from "../../runtime/kafka/index.ts";
import { rejection } from "../bus/contract-stage.ts";
import { after, bytes, join, Owner, takeCount } from "../bus/owner.ts";
import { eventually } from "../system/stage.ts";
import { testLibrary } from "./library.ts";

const BROKER_ERROR = {
  unknownMember: 25,
  coordinatorLoading: 14,
  notCoordinator: 16,
  groupAuthorization: 30,
  unknownTopicOrPartition: 3,
  rebalance: 27,
} as const;
const TIMEOUT_MS = 30_000;

describe("the consumer", () => {
  let library: Library;
  let cluster: MockCluster;
  let producer: Producer;
  const toClose: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    library = await testLibrary();
    cluster = MockCluster.start({ library });
    producer = await Producer.open({ library, config: { "bootstrap.servers": cluster.bootstrap } });
  });
  afterEach(async () => {
    await Promise.all(toClose.splice(0).map((open) => open.close()));
  });
  afterAll(async () => {
    await producer.close();
    cluster.close();
  });

  const openBus = async (
    brokers = cluster.bootstrap,
    config: Record<string, string | number> = {},
  ): Promise<Bus> => {
    const bus = await createKafkaBus({
      library,
      brokers,
      clientId: "test",
      ...MOCK_CLIENTS,
      consumerConfig: { ...MOCK_CLIENTS.consumerConfig, ...config },
    });
    toClose.push(bus);
    return bus;
  };
  const openConsumer = async (
    options: Partial<ConsumerOptions> & Pick<ConsumerOptions, "group" | "topics">,
  ) => {
    const owner = new Owner();
    const starts: { readonly committed: number | undefined; readonly metadata: string | undefined }[] = [];
    const consumer = await Consumer.open({
      library,
      startAt: "earliest",
      drainMs: 5_000,
      groupProtocol: "consumer",
      revoked: (partitions) => owner.revoked(partitions),
      lost: (partitions) => owner.lost(partitions),
      troubled: (trouble) => owner.troubled(trouble),
      ...options,
      config: { "bootstrap.servers": cluster.bootstrap, ...MOCK_CLIENTS.consumerConfig, ...options.config },
      assigned(partitions) {
        starts.push(...partitions);
        owner.assigned(partitions);
      },
    });
    toClose.push(consumer);
    await owner.until(({ assignments }) => assignments > 0);
    return { consumer, owner, starts };
  };
  const newTopic = async (records: number, partitions = 1): Promise<string> => {
    const topic = `t-${crypto.randomUUID()}`;
    cluster.createTopic(topic, partitions);
    await producer.produce(
      Array.from({ length: records }, () => ({ topic, key: null, value: bytes("v"), headers: [] })),
    );
    return topic;
  };

  test(
    "stays in its group while nobody takes anything for twice max.poll.interval.ms",
    async () => {
      const topic = await newTopic(1);
      const bus = await openBus(cluster.bootstrap, {
        "max.poll.interval.ms": 1_000,
        "statistics.interval.ms": 0,
      });
      const { subscription, owner } = await join(bus, { group: `g-${topic}`, topics: [topic] });
      // librdkafka counts by its own clock: this wait is the subject of the test. Without statistics nothing else polls.
      await Bun.sleep(2_200);
      const [record] = await takeCount(subscription, 1);
      await subscription.commit(record ? after([record]) : []);
      expect(owner).toMatchObject({ assignments: 1, revocations: [], losses: [], troubles: [] });
    },
    TIMEOUT_MS,
  );

  test(
    "tells lost from revoked, and hands out nothing of what it lost",
    async () => {
      const topic = await newTopic(3);
      const bus = await openBus();
      const { subscription, owner } = await join(bus, { group: `g-${topic}`, topics: [topic] });
      const taken = await takeCount(subscription, 3);
      cluster.pushErrors("consumerGroupHeartbeat", [BROKER_ERROR.unknownMember]);
      await owner.until(({ losses }) => losses.length === 1);
      expect(owner.revocations).toEqual([]);
      expect(owner.losses[0]).toEqual([{ topic, partition: 0 }]);
      // It joins again by itself and repeats what was never committed.
      await owner.until(({ owned }) => owned.size === 1);
      expect((await takeCount(subscription, 3)).map(({ offset }) => offset)).toEqual(
        taken.map(({ offset }) => offset),
      );
    },
    TIMEOUT_MS,
  );

  test(
    "asks again for committed offsets that cannot be fetched, and never starts elsewhere",
    async () => {
      const topic = await newTopic(5);
      const group = `g-${topic}`;
      const first = await join(await openBus(), { group, topics: [topic] });
      await first.subscription.commit([{ topic, partition: 0, offset: 3 }]);
      await first.subscription.close();
      cluster.pushErrors(
        "offsetFetch",
        Array.from({ length: 3 }, () => BROKER_ERROR.groupAuthorization),
      );
      const second = await join(await openBus(), { group, topics: [topic] });
      expect((await takeCount(second.subscription, 2)).map(({ offset }) => offset)).toEqual([3, 4]);
      expect(second.owner.troubles.some(({ message }) => message.includes("not known yet"))).toBe(true);
      cluster.clearErrors("offsetFetch");
    },
    TIMEOUT_MS,
  );

  test(
    "reads a partition of which its leader does not know yet, as after a topic was made",
    async () => {
      const topic = await newTopic(20, 2);
      cluster.pushErrors(
        "listOffsets",
        Array.from({ length: 6 }, () => BROKER_ERROR.unknownTopicOrPartition),
      );
      const { consumer, owner } = await openConsumer({ group: `g-${topic}`, topics: [topic] });
      expect((await takeOffsets(consumer, 20)).length).toBe(20);
      expect(owner.troubles.some(({ message }) => message.includes("not known yet"))).toBe(true);
    },
    TIMEOUT_MS,
  );

  test(
    "a coordinator that moved or loads is an error of the question, and not the end of the process",
    async () => {
      const topic = await newTopic(2);
      const admin = await Admin.open({ library, config: { "bootstrap.servers": cluster.bootstrap } });
      const committed = () => admin.committedOffsets(`g-${topic}`, [{ topic, partition: 0 }]);
      for (const error of [BROKER_ERROR.notCoordinator, BROKER_ERROR.coordinatorLoading]) {
        cluster.pushErrors("offsetFetch", [error]);
        expect(await committed().then(() => "answered", codeOf)).toBe("broker");
        cluster.clearErrors("offsetFetch");
      }
      expect((await committed())[0]?.offset).toBeUndefined();
      admin.close();
    },
    TIMEOUT_MS,
  );

  test(
    "the offsets of a group are answered again after every broker was away",
    async () => {
      const topic = await newTopic(2);
      const group = `g-${topic}`;
      const admin = await Admin.open({ library, config: { "bootstrap.servers": cluster.bootstrap } });
      const { subscription, owner } = await join(await openBus(), { group, topics: [topic] });
      await subscription.commit([{ topic, partition: 0, offset: 2 }]);
      const committed = async () =>
        (await admin.committedOffsets(group, [{ topic, partition: 0 }]))[0]?.offset;
      for (let round = 0; round < 2; round++) {
        expect(await committed()).toBe(2);
        const before = owner.troubles.length;
        const said = (kind: string) => owner.troubles.slice(before).some((trouble) => trouble.kind === kind);
        cluster.brokerDown();
        await eventually("the broker is away", () => said("broker_away"));
        cluster.brokerUp();
        await eventually("the broker is back", () => said("broker_back"));
      }
      expect(await committed()).toBe(2);
      admin.close();
    },
    TIMEOUT_MS,
  );

  test(
    "a commit that the broker refuses rejects, and the place of the group stays",
    async () => {
      const topic = await newTopic(2);
      const group = `g-${topic}`;
      const bus = await openBus();
      const { subscription } = await join(bus, { group, topics: [topic] });
      cluster.pushErrors("offsetCommit", [BROKER_ERROR.groupAuthorization]);
      const refused = subscription.commit([{ topic, partition: 0, offset: 2 }]);
      expect(await rejection(refused)).toMatchObject({ code: "broker", retryable: false });
      expect((await bus.backlog([{ group, topics: [topic] }]))[0]?.records).toBe(2);
      await subscription.commit([{ topic, partition: 0, offset: 2 }]);
      expect((await bus.backlog([{ group, topics: [topic] }]))[0]?.records).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    "reports an offset that retention removed, and does not jump",
    async () => {
      const topic = await newTopic(10);
      const group = `g-${topic}`;
      const first = await join(await openBus(), { group, topics: [topic] });
      await first.subscription.commit([{ topic, partition: 0, offset: 2 }]);
      await first.subscription.close();
      cluster.deleteRecords(topic, 0, 6);
      const { owner, subscription } = await join(await openBus(), { group, topics: [topic] });
      const waiting = subscription.take(1);
      await owner.until(({ troubles }) => troubles.some(({ kind }) => kind === "offset_out_of_range"));
      await subscription.close();
      expect(await waiting).toEqual([]);
      const trouble = owner.troubles.find(({ kind }) => kind === "offset_out_of_range");
      expect(trouble?.partition).toEqual({ topic, partition: 0 });
    },
    TIMEOUT_MS,
  );

  test(
    "brings a text committed beside an offset back at the next assignment, up to 4096 bytes",
    async () => {
      const topic = await newTopic(3);
      const group = `g-${topic}`;
      const first = await openConsumer({ group, topics: [topic] });
      expect(first.starts).toMatchObject([{ committed: undefined }]);
      const metadata = "m".repeat(4_096);
      await first.consumer.commit([{ topic, partition: 0, offset: 1, metadata }]);
      await first.consumer.close();
      const second = await openConsumer({ group, topics: [topic] });
      expect(second.starts).toMatchObject([{ topic, partition: 0, committed: 1, metadata }]);
    },
    TIMEOUT_MS,
  );

  test(
    "seeks back and forth without repeating what was fetched before",
    async () => {
      const topic = await newTopic(100);
      const { consumer } = await openConsumer({ group: `g-${topic}`, topics: [topic] });
      await takeOffsets(consumer, 10);
      consumer.seek([{ topic, partition: 0, offset: 90 }]);
      expect(await takeOffsets(consumer, 10)).toEqual(Array.from({ length: 10 }, (_, at) => 90 + at));
      consumer.seek([{ topic, partition: 0, offset: 5 }]);
      expect((await takeOffsets(consumer, 95)).at(0)).toBe(5);
    },
    TIMEOUT_MS,
  );

  test(
    "refuses a second take while one waits",
    async () => {
      const topic = await newTopic(0);
      const { consumer } = await openConsumer({ group: `g-${topic}`, topics: [topic] });
      const waiting = consumer.take(1);
      expect(await rejection(consumer.take(1))).toMatchObject({ code: "defect" });
      await consumer.close();
      expect(await waiting).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "works with the classic protocol too",
    async () => {
      const topic = await newTopic(2, 2);
      const { consumer, owner } = await openConsumer({
        group: `g-${topic}`,
        topics: [topic],
        groupProtocol: "classic",
      });
      expect(owner.owned.size).toBe(2);
      expect((await takeOffsets(consumer, 2)).length).toBe(2);
    },
    TIMEOUT_MS,
  );
});

async function takeOffsets(consumer: Consumer, count: number): Promise<number[]> {
  const offsets: number[] = [];
  while (offsets.length < count)
    offsets.push(...(await consumer.take(count - offsets.length)).map(({ offset }) => offset));
  return offsets;
}

/** Of whatever was thrown. */
const codeOf = (thrown: unknown) => (thrown as { readonly code?: string }).code;
