/** A broker that is away when a consumer opens, reads or closes, on a mock cluster of each test's own. */
import { afterEach, beforeAll, expect, test } from "bun:test";
import type { Bus } from "../../runtime/bus/bus.ts";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { type Library, MOCK_CLIENTS, MockCluster } from "../../runtime/kafka/index.ts";
import { bytes, join, Owner, takeCount } from "../bus/owner.ts";
import { testLibrary } from "./library.ts";

/** The thread stands still for so long: a refused connection is known within a millisecond. */
const STALL_MS = 300;
const TIMEOUT_MS = 30_000;

let library: Library;
const toClose: Bus[] = [];
beforeAll(async () => {
  library = await testLibrary();
});
afterEach(async () => {
  await Promise.all(toClose.splice(0).map((bus) => bus.close()));
});

async function openBus(brokers: string): Promise<Bus> {
  const bus = await createKafkaBus({ library, brokers, clientId: "test", ...MOCK_CLIENTS });
  toClose.push(bus);
  return bus;
}

test(
  "waits for a broker that comes up after it, and says when one goes away and comes back",
  async () => {
    const own = MockCluster.start({ library });
    own.createTopic("t", 1);
    own.brokerDown();
    const bus = await openBus(own.bootstrap);
    const owner = new Owner();
    const subscription = await bus.subscribe({
      group: "g",
      topics: ["t"],
      startAt: "earliest",
      drainMs: 1_000,
      ownership: owner,
    });
    expect(subscription.ready).toBe(false);
    /** What was said last of the broker; other troubles may come between. */
    const said = ({ troubles }: Owner) => troubles.findLast(({ kind }) => kind.startsWith("broker_"))?.kind;
    await owner.until((told) => said(told) === "broker_away");
    own.brokerUp();
    await owner.until((told) => told.owned.size === 1 && said(told) === "broker_back");
    expect(subscription.ready).toBe(true);
    own.brokerDown();
    await owner.until((told) => said(told) === "broker_away");
    expect(subscription.ready).toBe(false);
    own.brokerUp();
    await owner.until((told) => said(told) === "broker_back");
    await bus.publish([{ topic: "t", key: null, value: bytes("later"), headers: [] }]);
    expect((await takeCount(subscription, 1)).length).toBe(1);
    await bus.close();
    own.close();
  },
  TIMEOUT_MS,
);

test(
  "says that no broker can be reached though the event loop stood still when librdkafka found out",
  async () => {
    const own = MockCluster.start({ library });
    own.brokerDown();
    const bus = await openBus(own.bootstrap);
    const owner = new Owner();
    const options = {
      group: "g",
      topics: ["t"],
      startAt: "earliest",
      drainMs: 1_000,
      ownership: owner,
    } as const;
    const opening = bus.subscribe(options);
    Bun.sleepSync(STALL_MS);
    await opening;
    await owner.until(({ troubles }) => troubles.some(({ kind }) => kind === "broker_away"));
    await bus.close();
    own.close();
  },
  TIMEOUT_MS,
);

test(
  "closes in bounded time while the broker is away",
  async () => {
    const own = MockCluster.start({ library });
    own.createTopic("t", 1);
    const bus = await openBus(own.bootstrap);
    const { subscription } = await join(bus, { group: "g", topics: ["t"] });
    own.brokerDown();
    const waiting = subscription.take(1);
    await subscription.close();
    expect(await waiting).toEqual([]);
    await bus.close();
    own.close();
  },
  TIMEOUT_MS,
);
