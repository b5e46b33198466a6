/**
 * A stage for the contract of the bus: buses on one broker that are closed after each test, topics, numbered records.
 *
 * In: a way to open buses. Out: what the tests of a theme need. Never here: tests.
 */
import { afterAll, afterEach, beforeAll, test } from "bun:test";
import type { Bus, OutgoingRecord } from "../../runtime/bus/bus.ts";
import { bytes } from "./owner.ts";

/** A broker and a way to open buses on it; several may be open at once, as in several processes. */
export interface BusPlace {
  open(): Promise<Bus>;
  stop(): Promise<void>;
}

export interface ContractStage {
  /** A bus that is closed after the test. */
  readonly open: () => Promise<Bus>;
  /** A bus with a new topic on it, and a name for a group. */
  readonly withTopic: (
    partitions: number,
  ) => Promise<{ readonly bus: Bus; readonly topic: string; readonly group: string }>;
  readonly check: (title: string, body: () => Promise<void>) => void;
}

const TIMEOUT_MS = 60_000;
const START_MS = 180_000;

/** Inside a `describe`: the place is started before its tests and stopped after them. */
export function contractStage(start: () => Promise<BusPlace>): ContractStage {
  let place: BusPlace;
  const buses: Bus[] = [];
  beforeAll(async () => {
    place = await start();
  }, START_MS);
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()));
  }, TIMEOUT_MS);
  afterAll(async () => {
    await place.stop();
  }, TIMEOUT_MS);

  const open = async (): Promise<Bus> => {
    const bus = await place.open();
    buses.push(bus);
    return bus;
  };
  return {
    open,
    async withTopic(partitions) {
      const bus = await open();
      const topic = `t-${crypto.randomUUID()}`;
      await bus.ensureTopics([{ name: topic, partitions, provision: "create" }]);
      return { bus, topic, group: `g-${topic}` };
    },
    check: (title, body) => test(title, body, TIMEOUT_MS),
  };
}

/** Records whose value is their number and whose key is one of ten. */
export function numbered(topic: string, count: number, from = 0): OutgoingRecord[] {
  return Array.from({ length: count }, (_, at) => numberedOne(topic, from + at));
}

export function numberedOne(topic: string, number: number): OutgoingRecord {
  return { topic, key: bytes(`key-${number % 10}`), value: bytes(String(number)), headers: [] };
}

export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "it resolved",
    (error: unknown) => error,
  );
}
