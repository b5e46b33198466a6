/** Dead letters of messages that are just small enough to be there: with its reason beside it, such a letter no longer fits. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { GiveUp, handler, topic, type Codec } from "cauce";
import * as v from "valibot";
import type { Bus } from "../../runtime/bus/bus.ts";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { startConsumer } from "../../runtime/engine/consumer.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { CauceError } from "../../runtime/ground/errors.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import { join, takeCount, textOf } from "../bus/owner.ts";
import { testLibrary } from "../kafka/library.ts";
import { sharedKafka } from "../services/kafka.ts";

let bus: Bus;
beforeAll(async () => {
  const { brokers } = await sharedKafka();
  bus = await createKafkaBus({ library: await testLibrary(), brokers, clientId: "letters" });
});
afterAll(() => bus.close());

const raw: Codec = {
  contentType: "application/octet-stream",
  encode: (value) => value as Uint8Array,
  decode: (bytes) => bytes,
};

test("messages at the size limit and just below it die with all their bytes in the row, and a letter or a stub on the topic", async () => {
  const large = topic(`large-${crypto.randomUUID()}`, {
    schema: v.instance(Uint8Array),
    key: () => "k",
    codec: raw,
    partitions: 1,
  });
  const dying = handler({
    name: "dying",
    on: large,
    handle: () => {
      throw new GiveUp("whatever it says");
    },
  });
  const names = namesFor("letters", dying);
  await bus.ensureTopics(
    [large.name, names.retryTopic, names.deadLetterTopic].map((name) => ({
      name,
      partitions: 1,
      provision: "create",
    })),
  );
  const send = (bytes: number) =>
    bus.publish([{ topic: large.name, key: null, value: new Uint8Array(bytes).fill(7), headers: [] }]);
  // The largest that is accepted, by halves.
  let fits = 500_000;
  let tooLarge = 2_000_000;
  const sent = new Set<number>();
  while (tooLarge - fits > 1) {
    const middle = (fits + tooLarge) >> 1;
    const refused = await send(middle).catch((error: unknown) => error);
    if (refused instanceof CauceError) {
      expect(refused.code).toBe("record_too_large");
      tooLarge = middle;
    } else {
      fits = middle;
      sent.add(middle);
    }
  }
  for (let less = 100; less <= 800; less += 100) {
    await send(fits - less);
    sent.add(fits - less);
  }

  const store = createMemoryStore({ clock: systemClock });
  const { subscription } = await join(bus, {
    group: `reader-${large.name}`,
    topics: [names.deadLetterTopic],
  });
  const consumer = await startConsumer({
    handler: dying,
    names,
    deps: {},
    bus,
    store,
    clock: systemClock,
    random: Math.random,
    log: silentLog,
  });
  const letters = await takeCount(subscription, sent.size);
  await consumer.stop(5_000);
  await subscription.close();
  const buried = store.deadLetters.map(({ record }) => record.value?.byteLength);
  expect(new Set(buried)).toEqual(sent);
  const isStub = ({ headers }: (typeof letters)[number]) => headers.some(([name]) => name === "cauce_stub");
  const stubs = letters.filter(isStub);
  const whole = letters.filter((letter) => !isStub(letter));
  expect(stubs.length).toBeGreaterThan(0);
  expect(whole.length).toBeGreaterThan(0);
  expect(stubs.every(({ key, value }) => key === null && value === null)).toBe(true);
  for (const { headers } of letters)
    expect(textOf(headers.find(([name]) => name === "cauce_cause")?.[1] ?? null)).toBe("GiveUp");
}, 60_000);
