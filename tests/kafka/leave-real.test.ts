/** Leaving a group that is in the middle of something: a real coordinator must hear of it, else the group waits for a session to end. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import {
  Admin,
  Consumer,
  type ConsumerOptions,
  ERROR,
  type Library,
  type TransactionalProducer,
} from "../../runtime/kafka/index.ts";
import { Owner } from "../bus/owner.ts";
import { sharedKafka } from "../services/kafka.ts";
import { eventually } from "../system/stage.ts";
import { testLibrary } from "./library.ts";
import { initialised } from "./transactional.ts";

const TIMEOUT_MS = 90_000;
/** Nobody here is taken for dead: a member that is gone has said so. */
const SESSION_MS = 60_000;

describe("a member that leaves", () => {
  let library: Library;
  let admin: Admin;
  let config: Record<string, string | number>;
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    const [found, { brokers }] = await Promise.all([testLibrary(), sharedKafka()]);
    library = found;
    config = { "bootstrap.servers": brokers };
    admin = await Admin.open({ library, config });
  }, 180_000);
  afterEach(async () => {
    await Promise.all(open.splice(0).map((client) => client.close()));
  });
  afterAll(() => admin.close());

  const newTopic = async (partitions = 4): Promise<string> => {
    const name = `t-${crypto.randomUUID()}`;
    expect(await admin.createTopics([{ name, partitions }])).toMatchObject([{ err: ERROR.none }]);
    return name;
  };
  const join = async (topic: string, name: string, more: Partial<ConsumerOptions> = {}) => {
    const owner = new Owner();
    const consumer = await Consumer.open({
      library,
      group: `g-${topic}`,
      topics: [topic],
      startAt: "earliest",
      drainMs: TIMEOUT_MS,
      assigned: (partitions) => owner.assigned(partitions),
      revoked: (partitions) => owner.revoked(partitions),
      lost: (partitions) => owner.lost(partitions),
      troubled: (trouble) => owner.troubled(trouble),
      ...more,
      config: {
        ...config,
        "client.id": name,
        "session.timeout.ms": SESSION_MS,
        "heartbeat.interval.ms": 100,
        ...more.config,
      },
    });
    open.push(consumer);
    return { owner, consumer };
  };
  const members = async (topic: string) =>
    (await admin.describeGroups([`g-${topic}`]))[0]?.members.map(({ clientId }) => clientId).toSorted();

  test(
    "while the group joins anew and waits for another member",
    async () => {
      const topic = await newTopic();
      let joinState = "";
      const first = await join(topic, "first", {
        config: { debug: "cgrp" },
        onEvent: (event) => {
          if (event.kind === "log")
            joinState = /changed join state .* -> (\S+)/.exec(event.message)?.[1] ?? joinState;
        },
      });
      await first.owner.until(({ owned }) => owned.size === 4);
      const slow = await join(topic, "slow");
      await slow.owner.until(({ owned }) => owned.size === 2);
      const drained = Promise.withResolvers<void>();
      slow.owner.drain = () => drained.promise;
      // Each newcomer asks for a partition; "slow" gives none back, and so joins no more.
      const third = await join(topic, "third");
      await third.owner.until(({ assignments }) => assignments > 0);
      await slow.owner.until(({ revocations }) => revocations.length > 0);
      await join(topic, "fourth");
      await eventually("the group waits, and first with it", async () => {
        const [group] = await admin.describeGroups([`g-${topic}`]);
        return group?.state === "PreparingRebalance" && joinState === "wait-join";
      });
      const leaving = first.consumer.close(TIMEOUT_MS);
      // Longer than librdkafka waits for the answer to a LeaveGroup: this wait is the subject of the test.
      await Bun.sleep(7_000);
      drained.resolve();
      await leaving;
      expect(await members(topic)).toEqual(["fourth", "slow", "third"]);
    },
    TIMEOUT_MS,
  );

  test(
    "that owns no partition, at rest and right after it was opened",
    async () => {
      const topic = await newTopic(1);
      const owner = await join(topic, "owner");
      await owner.owner.until(({ owned }) => owned.size === 1);
      const idle = await join(topic, "idle");
      await idle.owner.until(({ assignments }) => assignments > 0);
      expect(await members(topic)).toEqual(["idle", "owner"]);
      await idle.consumer.close();
      expect(await members(topic)).toEqual(["owner"]);
      const hasty = await join(topic, "hasty");
      await hasty.consumer.close();
      expect(await members(topic)).toEqual(["owner"]);
    },
    TIMEOUT_MS,
  );

  test(
    "while it does not know yet where its partitions start",
    async () => {
      const topic = await newTopic();
      const group = `g-${topic}`;
      const before = await join(topic, "before");
      await before.owner.until(({ owned }) => owned.size === 4);
      // An open transaction that writes offsets: nobody is told the group's place until it ends.
      const producer: TransactionalProducer = await initialised({
        library,
        brokers: String(config["bootstrap.servers"]),
        id: group,
        timeoutMs: 10_000,
        opened: (client) => open.push(client),
      });
      await producer.begin();
      await producer.sendOffsets([{ topic, partition: 0, offset: 0 }], before.consumer.groupMetadata());
      await before.consumer.close();
      const { owner, consumer } = await join(topic, "asks");
      await owner.until(({ troubles }) => troubles.some(({ message }) => message.includes("not known yet")));
      await consumer.close();
      expect(owner.assignments).toBe(0);
      expect(await members(topic)).toEqual([]);
      await producer.abort();
    },
    TIMEOUT_MS,
  );
});
