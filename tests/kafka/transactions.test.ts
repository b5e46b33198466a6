/** Transactions on the mock cluster: what commits together, what is said when it cannot, and who must be replaced. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import {
  type ClientEvent,
  ERROR,
  type Library,
  MOCK_CLIENTS,
  MockCluster,
  TransactionalProducer,
  TransactionError,
} from "../../runtime/kafka/index.ts";
import { rejection } from "../bus/contract-stage.ts";
import { bytes, textOf } from "../bus/owner.ts";
import { testLibrary } from "./library.ts";
import { joinAs, type Reader } from "./reader.ts";

const BROKER_ERROR = { coordinatorLoading: 14, invalidTxnState: 48, producerFenced: 90 } as const;

describe("transactions on the mock cluster", () => {
  let library: Library;
  let cluster: MockCluster;
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    library = await testLibrary();
    cluster = MockCluster.start({ library });
  });
  afterEach(async () => {
    cluster.brokerUp();
    for (const request of ["endTxn", "txnOffsetCommit", "initProducerId"] as const)
      cluster.clearErrors(request);
    await Promise.all(open.splice(0).map((client) => client.close()));
  });
  afterAll(() => cluster.close());

  const newTopic = (): string => {
    const topic = `t-${crypto.randomUUID()}`;
    cluster.createTopic(topic, 1);
    return topic;
  };
  const newProducer = async (
    options: { id?: string; timeoutMs?: number; init?: boolean; onEvent?: (event: ClientEvent) => void } = {},
  ): Promise<TransactionalProducer> => {
    const producer = await TransactionalProducer.open({
      library,
      config: { "bootstrap.servers": cluster.bootstrap },
      transactionalId: options.id ?? `id-${crypto.randomUUID()}`,
      ...(options.onEvent ? { onEvent: options.onEvent } : {}),
      ...(options.timeoutMs === undefined ? {} : { transactionTimeoutMs: options.timeoutMs }),
    });
    open.push(producer);
    if (options.init !== false) await producer.init();
    return producer;
  };
  const join = async (topic: string): Promise<Reader> => {
    const reader = await joinAs({
      library,
      config: { "bootstrap.servers": cluster.bootstrap, ...MOCK_CLIENTS.consumerConfig },
      group: `g-${topic}`,
      topic,
      more: { groupProtocol: MOCK_CLIENTS.groupProtocol },
    });
    open.push(reader.consumer);
    return reader;
  };

  test("commits records, one transaction after the other", async () => {
    const topic = newTopic();
    const producer = await newProducer();
    for (const value of ["a", "b"]) {
      await producer.begin();
      await producer.produce([record(topic, value), record(topic, value)]);
      await producer.commit();
    }
    const reader = await join(topic);
    expect((await reader.read(4)).map(({ value }) => textOf(value))).toEqual(["a", "a", "b", "b"]);
  });

  test("refuses steps out of order, and says which state it is in", async () => {
    const producer = await newProducer({ init: false });
    expect(await rejection(producer.begin())).toMatchObject({ code: "defect" });
    await producer.init();
    expect(await rejection(producer.commit())).toMatchObject({ code: "defect" });
    expect(await rejection(producer.produce([record("t", "v")]))).toMatchObject({ code: "defect" });
    await producer.begin();
    expect(await rejection(producer.begin())).toMatchObject({ code: "defect" });
    await producer.abort();
    await producer.close();
    expect(await rejection(producer.begin())).toMatchObject({ code: "closed" });
  });

  test("never commits the rest after one record was refused", async () => {
    const topic = newTopic();
    const producer = await newProducer();
    await producer.begin();
    await producer.produce([record(topic, "kept back")]);
    const tooLarge = { ...record(topic, ""), value: new Uint8Array(2_000_000) };
    expect(await rejection(producer.produce([tooLarge]))).toMatchObject({ code: "record_too_large" });
    expect(await rejection(producer.commit())).toMatchObject({ code: "broker", remedy: "abort" });
    await producer.abort();
    await producer.begin();
    await producer.produce([record(topic, "next")]);
    await producer.commit();
    expect(producer.spent).toBeUndefined();
  });

  test("says abort where the group refuses the offsets, and goes on with the next transaction", async () => {
    const topic = newTopic();
    const producer = await newProducer();
    const reader = await join(topic);
    await producer.begin();
    await producer.produce([record(topic, "v")]);
    cluster.pushErrors("txnOffsetCommit", [ERROR.illegalGeneration]);
    const refused = await rejection(
      producer.sendOffsets([{ topic, partition: 0, offset: 1 }], reader.consumer.groupMetadata()),
    );
    expect(refused).toBeInstanceOf(TransactionError);
    expect(refused).toMatchObject({ remedy: "abort", code: "broker" });
    expect(await rejection(producer.commit())).toMatchObject({ remedy: "abort" });
    await producer.abort();
    await producer.begin();
    await producer.abort();
  });

  test("must be replaced after the coordinator has fenced it", async () => {
    const topic = newTopic();
    const producer = await newProducer();
    await producer.begin();
    await producer.produce([record(topic, "v")]);
    cluster.pushErrors("endTxn", [BROKER_ERROR.producerFenced]);
    expect(await rejection(producer.commit())).toMatchObject({ remedy: "replace", code: "producer_fatal" });
    expect(await rejection(producer.begin())).toMatchObject({ remedy: "replace", code: "producer_fatal" });
    expect(await rejection(producer.abort())).toMatchObject({ remedy: "replace" });
  });

  test("must be replaced after a commit of which the end is not known; its successor starts clean", async () => {
    const topic = newTopic();
    const id = `id-${crypto.randomUUID()}`;
    const producer = await newProducer({ id, timeoutMs: 1_000 });
    await producer.begin();
    await producer.produce([record(topic, "v")]);
    cluster.brokerDown();
    expect(await rejection(producer.commit())).toMatchObject({ remedy: "replace", code: "producer_fatal" });
    expect(producer.spent).toBeDefined();
    cluster.brokerUp();
    expect(await rejection(producer.begin())).toMatchObject({ remedy: "replace" });
    await producer.close();
    const successor = await newProducer({ id });
    await successor.begin();
    await successor.produce([record(topic, "w")]);
    await successor.commit();
    expect(successor.spent).toBeUndefined();
  }, 30_000);

  test("is spent after a commit that was made while its connection broke: the end may have been sent twice", async () => {
    const topic = newTopic();
    const broke = Promise.withResolvers<void>();
    const producer = await newProducer({
      onEvent: (event) => {
        if (event.kind === "error") broke.resolve();
      },
    });
    await producer.begin();
    await producer.produce([record(topic, "v")]);
    expect(producer.spent).toBeUndefined();
    cluster.brokerDown();
    const committed = producer.commit();
    await broke.promise;
    cluster.brokerUp();
    await committed;
    expect(producer.spent).toBeDefined();
    expect(await rejection(producer.begin())).toMatchObject({ remedy: "replace" });
  }, 20_000);

  test("says retry while no coordinator answers `init`, and starts once one does", async () => {
    cluster.brokerDown();
    const producer = await newProducer({ init: false, timeoutMs: 1_000 });
    expect(await rejection(producer.init())).toMatchObject({ remedy: "retry", retryable: true });
    cluster.brokerUp();
    for (let done = false; !done;) {
      done = await producer.init().then(
        () => true,
        (error: unknown) => {
          expect(error).toMatchObject({ remedy: "retry" });
          return false;
        },
      );
    }
    await producer.begin();
    await producer.abort();
  }, 30_000);

  for (const withinMs of [0, 200]) {
    test(`closes within the ${withinMs} ms of its caller while no broker answers, whatever librdkafka waits for`, async () => {
      const topic = newTopic();
      const [busy, begun] = [await newProducer(), await newProducer()];
      for (const producer of [busy, begun]) {
        await producer.begin();
        await producer.produce([record(topic, "v")]);
      }
      cluster.brokerDown();
      const ended = rejection(busy.commit());
      const startedMs = performance.now();
      await Promise.all([busy.close(withinMs), begun.close(withinMs)]);
      expect(performance.now() - startedMs).toBeLessThan(withinMs + 1_500);
      cluster.brokerUp();
      await ended;
    }, 30_000);
  }

  test("waits out what the coordinator refuses for a moment", async () => {
    const topic = newTopic();
    const producer = await newProducer();
    await producer.begin();
    await producer.produce([record(topic, "v")]);
    cluster.pushErrors("endTxn", [BROKER_ERROR.coordinatorLoading]);
    await producer.commit();
    expect(producer.spent).toBeUndefined();
  });

  test("refuses an empty id and a timeout above ten seconds", async () => {
    const config = { "bootstrap.servers": cluster.bootstrap };
    const refused = [
      { transactionalId: "", transactionTimeoutMs: 5_000 },
      { transactionalId: "id", transactionTimeoutMs: 60_000 },
      { transactionalId: "id", transactionTimeoutMs: Number.NaN },
    ];
    for (const options of refused) {
      expect(await rejection(TransactionalProducer.open({ library, config, ...options }))).toMatchObject({
        code: "config_invalid",
      });
    }
  });
});

function record(topic: string, value: string) {
  return { topic, key: null, value: bytes(value), headers: [] };
}
