/** The scheduler over the store in memory, with a clock that the test holds. */
import { afterEach, expect, test } from "bun:test";
import type { OutgoingRecord } from "../../runtime/bus/bus.ts";
import { CauceError } from "../../runtime/ground/errors.ts";
import { silentLog, type Log } from "../../runtime/ground/log.ts";
import { startScheduler, type Scheduler, type SchedulerOptions } from "../../runtime/scheduler/scheduler.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import type { Store } from "../../runtime/store/store.ts";
import { heldClock } from "../store/held-clock.ts";
import { message } from "../store/messages.ts";

let running: Scheduler | undefined;
afterEach(() => running?.stop());

function given(more: Partial<SchedulerOptions> = {}, wrap: (store: Store) => Store = (store) => store) {
  const clock = heldClock();
  const store = createMemoryStore({ clock });
  const sent: { readonly id: string; readonly atMs: number }[] = [];
  const said: string[] = [];
  const log: Log = {
    ...silentLog,
    info: (event) => said.push(event),
    warn: (event) => said.push(event),
    error: (event) => said.push(event),
  };
  const publish = async (records: readonly OutgoingRecord[]) => {
    for (const { value } of records) sent.push({ id: idOf(value), atMs: clock.monotonicMs() });
  };
  const scheduler = startScheduler({
    store: wrap(store),
    publish,
    topics: ["t", "u"],
    clock,
    random: () => 1,
    log,
    recheckMs: 3_600_000,
    ...more,
  });
  running = scheduler;
  return { clock, store, sent, said, scheduler };
}

function idOf(value: Uint8Array | null): string {
  const parsed: { id: string } = JSON.parse(new TextDecoder().decode(value ?? new Uint8Array()));
  return parsed.id;
}

test("a row is published when it is due, not before, and is gone then", async () => {
  const { clock, store, sent } = given();
  await store.schedule([message({ messageId: "m", delayMs: 500 })]);
  await clock.pass(499);
  expect(sent).toEqual([]);
  await clock.pass(1);
  expect(sent).toEqual([{ id: "m", atMs: 500 }]);
  expect(store.waiting).toEqual([]);
});

test("an earlier row wakes the sleeping scheduler, though the next look is an hour away", async () => {
  const { clock, store, sent } = given();
  await store.schedule([message({ messageId: "far", delayMs: 1_800_000 })]);
  await clock.pass(1_000);
  await store.schedule([message({ messageId: "near", delayMs: 50 })]);
  await clock.pass(50);
  expect(sent).toEqual([{ id: "near", atMs: 1_050 }]);
});

test("should a wake-up be lost, the row is found at the next look", async () => {
  const deaf = (store: Store): Store =>
    Object.assign(Object.create(store) as Store, { onEarlier: () => () => undefined });
  const { clock, store, sent } = given({ recheckMs: 2_000 }, deaf);
  await clock.pass(100);
  await store.schedule([message({ messageId: "m" })]);
  await clock.pass(2_000);
  expect(sent.map(({ id }) => id)).toEqual(["m"]);
});

test("all that is due goes out in batches before it sleeps again", async () => {
  const batches: number[] = [];
  const { clock, store, sent } = given({
    batch: 4,
    observe: { published: (due) => batches.push(due.length) },
  });
  await store.schedule(
    Array.from({ length: 10 }, (_, index) => message({ messageId: `${index}`, delayMs: 5 })),
  );
  await clock.pass(5);
  expect(sent.length).toBe(10);
  expect(batches).toEqual([4, 4, 2]);
});

test("while there is a backlog a claim whose acknowledgement is late holds nobody up but its own rows", async () => {
  const late = Promise.withResolvers<void>();
  const sizes: number[] = [];
  let acknowledged = 0;
  const { clock, store } = given({
    batch: 4,
    async publish(records) {
      sizes.push(records.length);
      if (sizes.length === 2) await late.promise;
      acknowledged += records.length;
    },
  });
  await store.schedule(
    Array.from({ length: 40 }, (_, index) => message({ messageId: `${index}`, delayMs: 5 })),
  );
  await clock.pass(5);
  expect(acknowledged).toBe(36);
  expect(store.waiting.length).toBe(4);
  late.resolve();
  await clock.pass(0);
  expect(store.waiting).toEqual([]);
});

test("a broker that is away costs only time: the rows stay, it is said once, and once more when it is over", async () => {
  let away = true;
  let tries = 0;
  const { clock, store, said, scheduler } = given({
    async publish() {
      tries++;
      if (away) throw new CauceError("broker", "no broker", { retryable: true });
    },
  });
  await store.schedule([message({ messageId: "m", attempts: 2 })]);
  await clock.pass(60_000);
  expect(scheduler.healthy).toBe(false);
  expect(scheduler.troubledTopics).toEqual(["t"]);
  expect(tries).toBeLessThan(25);
  expect(said.length).toBe(1);
  expect(store.waiting[0]?.message.attempts).toBe(2);
  away = false;
  await clock.pass(5_000);
  expect(store.waiting).toEqual([]);
  expect(scheduler.healthy).toBe(true);
  expect(said.length).toBe(2);
});

test("a topic that cannot be published to does not hold up the others", async () => {
  const sent: string[] = [];
  const { clock, store } = given({
    async publish(records) {
      if (records.some(({ topic }) => topic === "u")) throw new CauceError("broker", "u is gone");
      sent.push(...records.map(({ value }) => idOf(value)));
    },
  });
  await store.schedule([message({ messageId: "bad", topic: "u" }), message({ messageId: "good" })]);
  await clock.pass(200);
  expect(sent).toEqual(["good"]);
  await store.schedule([message({ messageId: "next", delayMs: 10 })]);
  await clock.pass(10);
  expect(sent).toEqual(["good", "next"]);
  expect(store.waiting.map((row) => row.message.messageId)).toEqual(["bad"]);
});

test("a record that can never be published becomes a dead letter, and its neighbours go out", async () => {
  const sent: string[] = [];
  const { clock, store, scheduler } = given({
    async publish(records) {
      const ids = records.map(({ value }) => idOf(value));
      if (ids.includes("huge")) throw new CauceError("record_too_large", "2 MB of 1 MB");
      sent.push(...ids);
    },
  });
  await store.schedule(["a", "huge", "b"].map((messageId) => message({ messageId, attempts: 3 })));
  await clock.pass(10);
  expect(sent).toEqual(["a", "b"]);
  expect(store.waiting).toEqual([]);
  expect(store.deadLetters).toMatchObject([
    { messageId: "huge", handler: "scheduler", cause: "record_too_large", attempts: 3 },
  ]);
  expect(scheduler.healthy).toBe(true);
});

test("a store that is away is waited for with growing pauses, said once, and wake-ups do not shorten them", async () => {
  let away = true;
  let looks = 0;
  const failing = (store: Store): Store =>
    Object.assign(Object.create(store) as Store, {
      claim(options: Parameters<Store["claim"]>[0]) {
        looks++;
        return away
          ? Promise.reject(new CauceError("unavailable", "Postgres is away", { retryable: true }))
          : store.claim(options);
      },
    });
  const { clock, store, sent, said, scheduler } = given({}, failing);
  await store.schedule([message({ messageId: "m" })]);
  for (let wake = 0; wake < 60; wake++) {
    scheduler.wake();
    await clock.pass(1_000);
  }
  expect(looks).toBeLessThan(25);
  expect(said.length).toBe(1);
  expect(scheduler.healthy).toBe(false);
  away = false;
  await clock.pass(5_000);
  expect(sent.map(({ id }) => id)).toEqual(["m"]);
  expect(said.length).toBe(2);
});

test("while others hold what is due, it looks again soon but not in a busy loop", async () => {
  let looks = 0;
  const held = (store: Store): Store =>
    Object.assign(Object.create(store) as Store, {
      claim: () => Promise.resolve(0),
      nextDueMs() {
        looks++;
        return Promise.resolve(0);
      },
    });
  const { clock } = given({}, held);
  await clock.pass(10_000);
  expect(looks).toBeGreaterThan(20);
  expect(looks).toBeLessThan(80);
});

test("a stop finishes the batch in hand and leaves no timer behind", async () => {
  const publishing = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const { clock, store, scheduler } = given({
    async publish() {
      publishing.resolve();
      await release.promise;
    },
  });
  await store.schedule([message({ messageId: "m" })]);
  await publishing.promise;
  const stopped = scheduler.stop();
  release.resolve();
  await stopped;
  expect(store.waiting).toEqual([]);
  expect(clock.timers).toBe(0);
  await scheduler.stop();
});

test("stops by its deadline while the broker acknowledges nothing, and leaves the rows in the table", async () => {
  const publishing = Promise.withResolvers<void>();
  const { clock, store, said, scheduler } = given({
    publish() {
      publishing.resolve();
      return new Promise(() => {});
    },
  });
  await store.schedule([message({ messageId: "m" })]);
  await publishing.promise;
  const stopped = scheduler.stop(1_000);
  await clock.pass(1_000);
  await stopped;
  expect(store.waiting).toHaveLength(1);
  expect(said).toEqual([]);
});

test("options that cannot work are refused", () => {
  expect(() => given({ batch: 0 })).toThrow("batch");
  expect(() => given({ recheckMs: Number.NaN })).toThrow("recheckMs");
  expect(() => given({ topics: [] })).toThrow("topic");
});
