/**
 * An output topic with a small `max.message.bytes`: a broker measures batches, so it refuses many small records together. Only the
 * message whose output is too large by itself may die.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { handler, topic } from "cauce";
import * as v from "valibot";
import type { Bus } from "../../runtime/bus/bus.ts";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { startConsumer } from "../../runtime/engine/consumer.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import { bytes, join, type Member, takeCount, textOf } from "../bus/owner.ts";
import { testLibrary } from "../kafka/library.ts";
import { sharedKafka } from "../services/kafka.ts";

const LIMIT_BYTES = 4_000;
const MESSAGES = 300;
const CULPRITS = [70, 71, 200];
const TIMEOUT_MS = 60_000;

let bus: Bus;
beforeAll(async () => {
  const { brokers } = await sharedKafka();
  bus = await createKafkaBus({ library: await testLibrary(), brokers, clientId: "limits" });
}, 180_000);
afterAll(() => bus.close());

const schema = v.object({ n: v.number(), text: v.string() });

const runs = [
  { guarantee: "at-least-once", messages: MESSAGES, culprits: CULPRITS },
  { guarantee: "exactly-once", messages: MESSAGES, culprits: CULPRITS },
  // One by one they would not be through in a transaction's time.
  { guarantee: "exactly-once", messages: 15_000, culprits: [] },
] as const;
for (const { guarantee, messages, culprits } of runs) {
  const isCulprit = (n: number) => culprits.some((culprit) => culprit === n);
  test(
    `${guarantee}: of ${messages} messages, what a topic's small max.message.bytes refuses together goes, except what is too large by itself`,
    async () => {
      const name = `small-${crypto.randomUUID()}`;
      const small = topic(`${name}-out`, { schema, key: ({ n }) => `k${n % 7}` });
      const growing = handler({
        name: "growing",
        on: topic(name, { schema }),
        out: { small },
        guarantee,
        order: { by: "none" },
        concurrency: 1_000,
        handle: ({ value }, { out }) =>
          out.small(isCulprit(value.n) ? { ...value, text: "x".repeat(LIMIT_BYTES) } : value),
      });
      const names = namesFor("limits", growing);
      const plans = [name, names.retryTopic, names.deadLetterTopic].map((each) => ({
        name: each,
        config: {},
      }));
      const config = { "max.message.bytes": String(LIMIT_BYTES) };
      await bus.ensureTopics(
        [...plans, { name: small.name, config }].map((plan) => ({
          ...plan,
          partitions: 1,
          provision: "create",
        })),
      );
      await bus.publish(
        Array.from({ length: messages }, (_, n) => ({
          topic: name,
          key: null,
          value: bytes(JSON.stringify({ n, text: crypto.randomUUID() })),
          headers: [],
        })),
      );
      const store = createMemoryStore({ clock: systemClock });
      const reading = (read: string) => join(bus, { group: `of-${read}`, topics: [read] });
      const [outputs, letters] = await Promise.all([reading(small.name), reading(names.deadLetterTopic)]);
      const consumer = await startConsumer({
        handler: growing,
        names,
        deps: {},
        bus,
        store,
        clock: systemClock,
        random: Math.random,
        log: silentLog,
      });
      /** The numbers of what comes, until there are so many different ones. */
      const numbersOf = async ({ subscription }: Member, least: number) => {
        const seen: number[] = [];
        const different = new Set<number>();
        while (different.size < least) {
          const [record] = await takeCount(subscription, 1);
          const n = Number(JSON.parse(textOf(record?.value ?? null) ?? "").n);
          seen.push(n);
          different.add(n);
        }
        return seen;
      };
      const [came, died] = await Promise.all([
        numbersOf(outputs, messages - culprits.length),
        numbersOf(letters, culprits.length),
      ]);
      await consumer.stop(5_000);
      await Promise.all([outputs, letters].map(({ subscription }) => subscription.close()));
      const innocent = Array.from({ length: messages }, (_, n) => n).filter((n) => !isCulprit(n));
      expect([...new Set(came)].toSorted((a, b) => a - b)).toEqual(innocent);
      expect([...new Set(died)].toSorted((a, b) => a - b)).toEqual([...culprits]);
      expect(new Set(store.deadLetters.map(({ cause }) => cause))).toEqual(
        new Set(culprits.map(() => "record_too_large")),
      );
      expect(store.deadLetters.length).toBe(culprits.length);
      if (guarantee === "exactly-once") expect(came.length).toBe(innocent.length);
    },
    TIMEOUT_MS,
  );
}
