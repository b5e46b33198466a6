/**
 * Requests that end a transaction and arrive late, on Apache Kafka behind a proxy (Jepsen's finding, KAFKA-17754): the producer that
 * sent them is replaced, and they end nothing of what its successor writes.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { Bus } from "../../runtime/bus/bus.ts";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { Admin, type Library, type TransactionalProducer } from "../../runtime/kafka/index.ts";
import { rejection } from "../bus/contract-stage.ts";
import { after, bytes, join, takeCount, textOf } from "../bus/owner.ts";
import { wholeTopic } from "../bus/whole-topic.ts";
import { type BehindProxy, startBehind } from "../faults/behind-proxy.ts";
import { RequestProxy } from "../faults/request-proxy.ts";
import { testLibrary } from "./library.ts";
import { joinAs, settledOffset } from "./reader.ts";
import { initialised } from "./transactional.ts";

const TIMEOUT_MS = 90_000;

describe("a request that ends a transaction and arrives late", () => {
  let library: Library;
  let behind: BehindProxy<RequestProxy>;
  /** Without the proxy. */
  let bus: Bus;
  let admin: Admin;
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    [library, behind] = await Promise.all([
      testLibrary(),
      startBehind((ports) => RequestProxy.listen(ports)),
    ]);
    bus = await createKafkaBus({ library, brokers: behind.direct, clientId: "late" });
    admin = await Admin.open({ library, config: { "bootstrap.servers": behind.direct } });
  }, 180_000);
  afterEach(async () => {
    await Promise.all(open.splice(0).map((client) => client.close()));
  });
  afterAll(async () => {
    admin.close();
    await bus.close();
    await behind.stop();
  });

  const newTopic = async (): Promise<string> => {
    const name = `late-${crypto.randomUUID()}`;
    await bus.ensureTopics([{ name, partitions: 1, provision: "create" }]);
    return name;
  };
  const newProducer = (id: string, timeoutMs: number): Promise<TransactionalProducer> =>
    initialised({
      library,
      brokers: behind.proxied,
      id,
      timeoutMs,
      opened: (producer) => open.push(producer),
    });
  /** Who goes on after `before`, as its owner chooses. */
  const nextOf = async (before: TransactionalProducer, id: string): Promise<TransactionalProducer> => {
    if (before.spent === undefined) return before;
    await before.close();
    return newProducer(id, 10_000);
  };
  const committed = async (topic: string) =>
    (await wholeTopic(bus, { topic, partitions: 1 })).map(({ value }) => textOf(value));

  test(
    "is sent twice because its connection broke: what came through is committed, and the late one commits nothing of the next transaction",
    async () => {
      const [id, topic] = [crypto.randomUUID(), await newTopic()];
      const first = await newProducer(id, 10_000);
      await first.begin();
      await first.produce([record(topic, "a 1"), record(topic, "a 2")]);
      const holding = behind.proxy.holdNext("endTxn");
      const ended = first.commit();
      const held = await holding;
      held.cut();
      await ended;
      const next = await nextOf(first, id);
      await next.begin();
      await next.produce([record(topic, "b 1")]);
      await held.release();
      await next.produce([record(topic, "b 2")]).catch(() => undefined);
      await next.abort().catch(() => undefined);
      expect(await committed(topic)).toEqual(["a 1", "a 2"]);
    },
    TIMEOUT_MS,
  );

  test(
    "is not answered in the transaction's time: its producer must be replaced, all of its transaction is taken back, and the late one ends nothing",
    async () => {
      const [id, topic] = [crypto.randomUUID(), await newTopic()];
      const first = await newProducer(id, 2_000);
      await first.begin();
      await first.produce([record(topic, "a 1"), record(topic, "a 2")]);
      const holding = behind.proxy.holdNext("endTxn");
      const ended = rejection(first.commit());
      const held = await holding;
      expect(await ended).toMatchObject({ remedy: "replace", code: "producer_fatal" });
      const next = await nextOf(first, id);
      await next.begin();
      await next.produce([record(topic, "b 1")]);
      await held.release();
      await next.produce([record(topic, "b 2")]);
      await next.commit();
      expect(await committed(topic)).toEqual(["b 1", "b 2"]);
    },
    TIMEOUT_MS,
  );

  test(
    "after offsets of which nobody knows: the producer must be replaced, and the late offsets are no part of the next transaction",
    async () => {
      const [id, topic, source] = [crypto.randomUUID(), await newTopic(), await newTopic()];
      await bus.publish([record(source, "0"), record(source, "1"), record(source, "2")]);
      const group = `g-${source}`;
      const offsets = (offset: number) => [{ topic: source, partition: 0, offset }];
      const config = { "bootstrap.servers": behind.direct };
      const { consumer: reader } = await joinAs({ library, config, group, topic: source });
      open.push(reader);
      const first = await newProducer(id, 2_000);
      await first.begin();
      await first.produce([record(topic, "a")]);
      const holding = behind.proxy.holdNext("txnOffsetCommit");
      const sent = rejection(first.sendOffsets(offsets(3), reader.groupMetadata()));
      const held = await holding;
      expect(await sent).toMatchObject({ remedy: "replace" });
      const next = await nextOf(first, id);
      await next.begin();
      await next.produce([record(topic, "b")]);
      await next.sendOffsets(offsets(1), reader.groupMetadata());
      await held.release();
      await next.commit();
      expect(await committed(topic)).toEqual(["b"]);
      expect(await settledOffset(admin, { group, topic: source })).toBe(1);
    },
    TIMEOUT_MS,
  );

  test(
    "offsets that are sent twice because their connection broke: the late ones do not put the group back in the next transaction",
    async () => {
      const [id, topic, source] = [crypto.randomUUID(), await newTopic(), await newTopic()];
      await bus.publish(["0", "1", "2"].map((value) => record(source, value)));
      const group = `g-${source}`;
      const config = { "bootstrap.servers": behind.direct };
      const { consumer: reader } = await joinAs({ library, config, group, topic: source });
      open.push(reader);
      const step = async (producer: TransactionalProducer, offset: number) => {
        await producer.begin();
        await producer.produce([record(topic, `up to ${offset}`)]);
        await producer.sendOffsets([{ topic: source, partition: 0, offset }], reader.groupMetadata());
      };
      const first = await newProducer(id, 10_000);
      const holding = behind.proxy.holdNext("txnOffsetCommit");
      const stepped = step(first, 1);
      const held = await holding;
      held.cut();
      await stepped;
      await first.commit();
      const next = await nextOf(first, id);
      await step(next, 3);
      await held.release();
      await next.commit();
      expect(await settledOffset(admin, { group, topic: source })).toBe(3);
      expect(await committed(topic)).toEqual(["up to 1", "up to 3"]);
    },
    TIMEOUT_MS,
  );

  for (const lost of ["the request", "its answer"] as const) {
    test(
      `${lost} is lost: the bus finds out how the transaction ended, replaces the producer and goes on, with nothing twice or torn`,
      async () => {
        const [topic, source] = [await newTopic(), await newTopic()];
        const there = await createKafkaBus({ library, brokers: behind.proxied, clientId: "behind" });
        await bus.publish(["0", "1", "2"].map((value) => record(source, value)));
        const { subscription } = await join(there, { group: `g-${source}`, topics: [source] });
        const taken = await takeCount(subscription, 3);
        const transactions = subscription.transactions(`x-${topic}`);
        await transactions.commit([record(topic, "a 1")], after(taken.slice(0, 1)));
        const losing =
          lost === "the request" ? behind.proxy.holdNext("endTxn") : behind.proxy.muteNext("endTxn");
        const pair = [record(topic, "b 1"), record(topic, "b 2")];
        const ended = rejection(transactions.commit(pair, after(taken.slice(0, 2))));
        const held = await losing;
        if (held === undefined) expect(await ended).toBe("it resolved");
        else {
          expect(await ended).toMatchObject({ code: "broker", retryable: true });
          await transactions.commit(pair, after(taken.slice(0, 2)));
          await held.release();
        }
        await transactions.commit([record(topic, "c 1")], after(taken));
        expect(await committed(topic)).toEqual(["a 1", "b 1", "b 2", "c 1"]);
        expect(await settledOffset(admin, { group: `g-${source}`, topic: source })).toBe(3);
        await transactions.close(5_000);
        await there.close();
      },
      TIMEOUT_MS,
    );
  }
});

function record(topic: string, value: string) {
  return { topic, key: null, value: bytes(value), headers: [] };
}
