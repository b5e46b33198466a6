/**
 * Fetching goes on at once after it was paused. How late it would go on is a matter of time (bench: `rebalance-gap`); that the
 * leader is asked something, which is what wakes librdkafka's thread, is one of counting.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  type ClientEvent,
  type Consumer,
  type Library,
  MOCK_CLIENTS,
  MockCluster,
} from "../../runtime/kafka/index.ts";
import { testLibrary } from "./library.ts";
import { joinAs } from "./reader.ts";

let library: Library;
let cluster: MockCluster;
const opened: Consumer[] = [];
const TIMEOUT_MS = 30_000;

beforeAll(async () => {
  library = await testLibrary();
  cluster = MockCluster.start({ library });
});
afterAll(async () => {
  await Promise.all(opened.map((consumer) => consumer.close()));
  cluster.close();
});

test(
  "a resumed partition's leader is asked something, and so are those of the partitions that stay in a rebalance",
  async () => {
    const topic = `wake-${crypto.randomUUID()}`;
    cluster.createTopic(topic, 2);
    const first = await joined(topic);
    let asked = await first.settled();

    first.consumer.pause(first.consumer.partitions);
    first.consumer.resume(first.consumer.partitions);
    asked = await first.more(asked);

    const second = await joined(topic);
    asked = await first.more(asked);
    expect(first.consumer.partitions).toHaveLength(1);
    expect(second.consumer.partitions).toHaveLength(1);
  },
  TIMEOUT_MS,
);

/** A member, and how many requests for offsets it has sent to leaders, as its statistics say. */
async function joined(topic: string) {
  const waiting = new Set<(asked: number) => void>();
  const next = () => new Promise<number>((resolve) => waiting.add(resolve));
  const onEvent = (event: ClientEvent) => {
    if (event.kind !== "statistics") return;
    const asked = requestsIn(event.json);
    for (const resolve of waiting) resolve(asked);
    waiting.clear();
  };
  const config = {
    "bootstrap.servers": cluster.bootstrap,
    ...MOCK_CLIENTS.consumerConfig,
    "statistics.interval.ms": 100,
  };
  const { consumer } = await joinAs({
    library,
    config,
    group: `g-${topic}`,
    topic,
    more: { groupProtocol: "consumer", onEvent },
  });
  opened.push(consumer);
  return {
    consumer,
    /** Resolves once two statistics in a row say the same. */
    async settled(): Promise<number> {
      for (let before = -1; ;) {
        const now = await next();
        if (now === before) return now;
        before = now;
      }
    },
    /** Resolves once more than `before` were sent. */
    async more(before: number): Promise<number> {
      for (;;) if ((await next()) > before) return this.settled();
    },
  };
}

function requestsIn(json: string): number {
  const { brokers } = JSON.parse(json) as { brokers: Record<string, { req: Record<string, number> }> };
  return Object.values(brokers).reduce((sum, { req }) => sum + (req["ListOffsets"] ?? 0), 0);
}
