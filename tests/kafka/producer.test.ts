/** The producer's promises, on the mock cluster (faults) by both crossings. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { murmur2, partitionOf } from "../../runtime/bus/murmur2.ts";
import { type Library, MockCluster, Producer, type ProducerOptions } from "../../runtime/kafka/index.ts";
import { rejection } from "../bus/contract-stage.ts";
import { bytes } from "../bus/owner.ts";
import { CROSSINGS, testLibrary } from "./library.ts";

const BROKER_ERROR = {
  notEnoughReplicas: 19,
  notLeader: 6,
  invalidProducerEpoch: 47,
  outOfOrderSequence: 45,
} as const;

for (const crossing of CROSSINGS) {
  describe(`the producer, ${crossing}`, () => {
    let library: Library;
    let cluster: MockCluster;
    const producers: Producer[] = [];

    beforeAll(async () => {
      library = await testLibrary();
      cluster = MockCluster.start({ library });
    });
    afterEach(async () => {
      await Promise.all(producers.splice(0).map((producer) => producer.close(0)));
    });
    afterAll(() => cluster.close());

    const open = async (options: Partial<ProducerOptions> = {}): Promise<Producer> => {
      const config = { "bootstrap.servers": cluster.bootstrap, ...options.config };
      const producer = await Producer.open({ library, crossing, ...options, config });
      producers.push(producer);
      return producer;
    };
    const newTopic = (partitions = 1): string => {
      const topic = `t-${crypto.randomUUID()}`;
      cluster.createTopic(topic, partitions);
      return topic;
    };

    test("puts a key on the partition that Java's murmur2 chooses", async () => {
      const producer = await open();
      const topic = newTopic(12);
      const keys = [...Array.from({ length: 200 }, (_, at) => `key-${at}`), "", "ñandú", "21", "foobar"];
      const positions = await producer.produce(keys.map((key) => record(topic, { key: bytes(key) })));
      expect([...positions].map(({ partition }) => partition)).toEqual(
        keys.map((key) => partitionOf(bytes(key), 12)),
      );
    });

    test("retries what the broker refuses for a moment, in order and without duplicates", async () => {
      // All in one request: the mock cluster looks at no sequence numbers, and would take the second of two before the first.
      const producer = await open({ config: { "linger.ms": 1_000 } });
      const topic = newTopic();
      await producer.produce([record(topic)]);
      cluster.pushErrors("produce", [BROKER_ERROR.notEnoughReplicas, BROKER_ERROR.notLeader, 0]);
      const calls = await Promise.all(Array.from({ length: 50 }, () => producer.produce([record(topic)])));
      // A repeat that the broker recognised has a place that nobody tells.
      const wrong = calls.filter(([position], at) => ![-1, at + 1].includes(position?.offset ?? NaN));
      expect(wrong).toEqual([]);
      expect((await producer.produce([record(topic)])).at(0)?.offset).toBe(51);
    });

    test("says possibly persisted when the broker's answer never came", async () => {
      const producer = await open({ config: { "message.timeout.ms": 3_000, "socket.timeout.ms": 10_000 } });
      const topic = newTopic();
      await producer.produce([record(topic)]);
      // The record leaves at once and its answer comes too late: it times out on its way, not in our queue.
      cluster.delayBroker(8_000);
      try {
        expect(await rejection(producer.produce([record(topic)]))).toMatchObject({
          code: "possibly_persisted",
          retryable: true,
        });
      } finally {
        cluster.delayBroker(0);
      }
    }, 20_000);

    test("says that nothing was written, and that waiting helps, when no broker can be reached", async () => {
      const producer = await open({
        config: { "bootstrap.servers": "127.0.0.1:1", "message.timeout.ms": 500 },
      });
      expect(await rejection(producer.produce([record("t")]))).toMatchObject({
        code: "broker",
        retryable: true,
      });
    });

    test("waits for room instead of exceeding its bounds, and keeps the order of those who wait", async () => {
      const producer = await open({ mostRecords: 10, mostBytes: 10_000 });
      const topic = newTopic();
      let highest = 0;
      cluster.delayBroker(20); // so that what is in flight can be seen
      const sample = setInterval(() => (highest = Math.max(highest, producer.inFlight.records)), 1);
      const done: number[] = [];
      const calls = Array.from({ length: 30 }, async (_, call) => {
        const positions = await producer.produce(
          Array.from({ length: 7 }, () => record(topic, { value: new Uint8Array(300) })),
        );
        done.push(call);
        return [...positions].map(({ offset }) => offset);
      });
      const offsets = await Promise.all(calls);
      clearInterval(sample);
      cluster.delayBroker(0);
      expect(offsets.flat()).toEqual([...Array(210).keys()]);
      expect(done).toEqual([...done.keys()]);
      expect(highest).toBeWithin(1, 11);
      expect(producer.inFlight).toEqual({ records: 0, bytes: 0 });
    });

    test("publishes one record larger than its byte bound alone", async () => {
      const producer = await open({ mostBytes: 1_000 });
      const topic = newTopic();
      const sizes = [100, 50_000, 100];
      const calls = sizes.map((size) => producer.produce([record(topic, { value: new Uint8Array(size) })]));
      expect((await Promise.all(calls)).map((positions) => positions.at(0)?.offset)).toEqual([0, 1, 2]);
    });

    test("refuses a record that is too large and writes those before it", async () => {
      const producer = await open();
      const topic = newTopic();
      const failed = producer.produce([
        record(topic),
        record(topic, { value: new Uint8Array(2_000_000) }),
        record(topic),
      ]);
      expect(await rejection(failed)).toMatchObject({ code: "record_too_large", retryable: false });
      expect((await producer.produce([record(topic)])).at(0)?.offset).toBe(1);
    });

    test("a flush that cannot finish in time says so, and a close gives up on the rest", async () => {
      const producer = await open();
      const topic = newTopic();
      await producer.produce([record(topic)]);
      cluster.brokerDown();
      try {
        const waiting = rejection(producer.produce([record(topic)]));
        expect(await rejection(producer.flush(100))).toMatchObject({ code: "broker", retryable: true });
        await producer.close(100);
        expect(await waiting).toHaveProperty("retryable", true);
        expect(await rejection(producer.produce([record(topic)]))).toMatchObject({ code: "closed" });
      } finally {
        cluster.brokerUp();
      }
    });

    test("a purge gives up on what waits, at once, and the producer goes on", async () => {
      const topic = newTopic();
      const producer = await open();
      await producer.produce([record(topic)]);
      cluster.brokerDown();
      try {
        const waiting = [
          rejection(producer.produce([record(topic)])),
          rejection(producer.produce([record(topic)])),
        ];
        await Bun.sleep(0); // both are handed over
        producer.purge();
        for (const failure of await Promise.all(waiting)) {
          expect(failure).toMatchObject({ retryable: true });
        }
        expect(producer.inFlight).toEqual({ records: 0, bytes: 0 });
      } finally {
        cluster.brokerUp();
      }
      expect(await producer.produce([record(topic)])).toHaveLength(1);
    }, 20_000);

    test("one that failed for good says so for ever, and the bus goes on with another one", async () => {
      const own = MockCluster.start({ library });
      own.createTopic("t", 1);
      const bus = await createKafkaBus({ library, crossing, brokers: own.bootstrap, clientId: "fatal" });
      try {
        await bus.publish([record("t")]);
        own.pushErrors("produce", [BROKER_ERROR.outOfOrderSequence]);
        expect(await rejection(bus.publish([record("t")]))).toHaveProperty("retryable", true);
        const positions = await bus.publish([record("t")]);
        expect(positions.length).toBe(1);
      } finally {
        await bus.close();
        own.close();
      }
    });

    test("waits for a broker that comes up later", async () => {
      const own = MockCluster.start({ library });
      own.createTopic("t", 1);
      own.brokerDown();
      const producer = await open({ config: { "bootstrap.servers": own.bootstrap } });
      const published = producer.produce([record("t")]);
      const away = await Promise.race([published, rejection(producer.flush(300))]);
      expect(away).toMatchObject({ code: "broker", retryable: true });
      own.brokerUp();
      expect((await published).at(0)?.offset).toBe(0);
      await producer.close();
      own.close();
    }, 20_000);
  });
}

test("murmur2 gives the numbers of Apache Kafka's own test", () => {
  const known: readonly (readonly [string, number])[] = [
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107],
  ];
  expect(known.map(([key]) => murmur2(bytes(key)))).toEqual(known.map(([, hash]) => hash));
});

function record(topic: string, parts: { readonly key?: Uint8Array; readonly value?: Uint8Array } = {}) {
  return { topic, key: parts.key ?? null, value: parts.value ?? bytes("v"), headers: [] };
}
