import { expect, test } from "bun:test";
import { GiveUp, handler, RetryAfter, Unavailable } from "cauce";
import { MemoryBroker } from "../../runtime/bus/memory-broker.ts";
import { CauceError } from "../../runtime/ground/errors.ts";
import { committedTotal, doubled, numbers, stage } from "./stage.ts";

const doubling = handler({
  name: "doubling",
  on: numbers,
  out: { doubled },
  handle: ({ value }, { out }) => out.doubled({ id: value.id, n: value.n * 2 }),
});

const decode = (bytes: Uint8Array | null) => JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array()));

test("publishes what a handler returns and then commits the input", async () => {
  const { send, settled, broker, consumer } = await stage(doubling);
  await send({ id: "a", n: 1 });
  await send({ id: "b", n: 2 });
  await settled(2);
  expect(
    broker
      .records("doubled")
      .map((record): number => decode(record.value).n)
      .toSorted((a, b) => a - b),
  ).toEqual([2, 4]);
  await consumer.stop(1_000);
  expect(committedTotal(broker, doubling)).toBe(2);
});

test("does not commit while an output is not acknowledged, and publishes it once the broker is back", async () => {
  const { send, settled, broker, bus, consumer } = await stage(doubling);
  let failures = 0;
  const { promise: failedTwice, resolve } = Promise.withResolvers<void>();
  bus.failPublish = () => {
    if (++failures === 2) resolve();
    return failures < 4 ? new CauceError("broker", "no broker", { retryable: true }) : null;
  };
  await send({ id: "a", n: 1 });
  await failedTwice;
  expect(committedTotal(broker, doubling)).toBe(0);
  await settled(1);
  await consumer.stop(1_000);
  expect(committedTotal(broker, doubling)).toBe(1);
  expect(broker.records("doubled")).toHaveLength(1);
});

test("a failure becomes a row for the handler's private retry topic, never a sleep", async () => {
  const failing = handler({
    name: "failing",
    on: numbers,
    retry: [[TypeError, { delay: "linear", base: "5s", jitter: 0 }]],
    handle() {
      throw new TypeError("boom");
    },
  });
  const { send, settled, store, consumer, broker } = await stage(failing);
  await send({ id: "a", n: 1 });
  expect((await settled(1))[0]?.kind).toBe("retry");
  expect(store.scheduled[0]).toMatchObject({
    handler: "failing",
    delivery: 1,
    kind: "retry",
    reason: "TypeError",
    error: "boom",
    attempts: 1,
    delayMs: 5_000,
    record: { topic: "numbers.failing.retry" },
  });
  await consumer.stop(1_000);
  expect(committedTotal(broker, failing)).toBe(1);
});

test("a message that comes back on the retry topic carries its counters and its id", async () => {
  const seen: { id: string; attempt: number; delivery: number }[] = [];
  const twice = handler({
    name: "twice",
    on: numbers,
    handle({ id, attempt, delivery }) {
      seen.push({ id, attempt, delivery });
      if (attempt === 1) throw new Error("first time");
    },
  });
  const { send, settled, store, bus } = await stage(twice);
  await send({ id: "a", n: 1 });
  await settled(1);
  await bus.publish(store.scheduled.map((row) => row.record));
  await settled(2);
  expect(seen.map(({ attempt, delivery }) => ({ attempt, delivery }))).toEqual([
    { attempt: 1, delivery: 0 },
    { attempt: 2, delivery: 1 },
  ]);
  expect(seen[0]?.id).toBe(seen[1]?.id ?? "");
});

test("undecodable, invalid and given-up messages go to the dead letter topic and table, and the partition goes on", async () => {
  const picky = handler({
    name: "picky",
    on: numbers,
    handle({ value }) {
      if (value.n === 13) throw new GiveUp("unlucky");
    },
  });
  const { send, sendBytes, settled, store, broker, consumer } = await stage(picky);
  await sendBytes(Uint8Array.of(0xff, 0xfe));
  await sendBytes(new TextEncoder().encode(`{"id":1}`));
  await sendBytes(new TextEncoder().encode("[".repeat(100_000)));
  await sendBytes(null);
  await send({ id: "a", n: 13 });
  await send({ id: "a", n: 14 });
  await settled(6);
  expect(store.buried.map((letter) => letter.cause).toSorted()).toEqual([
    "GiveUp",
    "invalid_value",
    "undecodable",
    "undecodable",
    "undecodable",
  ]);
  expect(store.buried.find((letter) => letter.cause === "invalid_value")?.error).toContain("id: ");
  expect(broker.records("numbers.dlq")).toHaveLength(5);
  await consumer.stop(1_000);
  expect(committedTotal(broker, picky)).toBe(6);
});

test("messages of one key are handled one at a time and in order, keys beside each other", async () => {
  const running = new Map<string, number>();
  const order: string[] = [];
  let most = 0;
  const keyed = handler({
    name: "keyed",
    on: numbers,
    order: { by: "key", whileRetrying: "skip" },
    concurrency: 8,
    async handle({ value }) {
      running.set(value.id, (running.get(value.id) ?? 0) + 1);
      expect(running.get(value.id)).toBe(1);
      most = Math.max(most, [...running.values()].filter((count) => count > 0).length);
      await new Promise(setImmediate);
      order.push(`${value.id}${value.n}`);
      running.set(value.id, 0);
    },
  });
  const { send, settled } = await stage(keyed);
  for (let n = 0; n < 40; n++) for (const id of ["a", "b", "c"]) await send({ id, n });
  const outcomes = await settled(120);
  expect(new Set(outcomes.map((outcome) => outcome.kind))).toEqual(new Set(["done"]));
  for (const id of ["a", "b", "c"]) {
    expect(order.filter((entry) => entry.startsWith(id))).toEqual(
      Array.from({ length: 40 }, (_, n) => `${id}${n}`),
    );
  }
  expect(most).toBeGreaterThan(1);
});

test("something that is away costs no attempt: the same message runs again until it is back", async () => {
  let tries = 0;
  const needy = handler({
    name: "needy",
    on: numbers,
    handle({ attempt }) {
      expect(attempt).toBe(1);
      if (++tries < 3) throw new Unavailable("the database is away");
    },
  });
  const { send, settled, store, consumer } = await stage(needy);
  await send({ id: "a", n: 1 });
  await settled(1);
  expect(tries).toBe(3);
  expect(store.scheduled).toEqual([]);
  expect(consumer.state.waitingFor).toBeNull();
});

test("a partition whose outcome needs a row waits for Postgres while others go on", async () => {
  const sometimes = handler({
    name: "sometimes",
    on: numbers,
    handle({ value }) {
      if (value.n < 0) throw new RetryAfter("1m");
    },
  });
  const { send, settled, store, consumer, broker } = await stage(sometimes);
  let away = true;
  store.fail = () => (away ? new CauceError("unavailable", "no Postgres", { retryable: true }) : null);
  await send({ id: "a", n: -1 });
  for (let n = 0; n < 20; n++) await send({ id: `k${n}`, n });
  const outcomes = await settled(1);
  expect(outcomes[0]?.kind).toBe("done");
  away = false;
  await settled(21);
  await consumer.stop(1_000);
  expect(committedTotal(broker, sometimes)).toBe(21);
  expect(store.scheduled).toHaveLength(1);
});

test("an output that was made and not returned fails the run and says which", async () => {
  const forgetful = handler({
    name: "forgetful",
    on: numbers,
    out: { doubled },
    retry: [[Error, { delay: "constant", base: "1s", attempts: 1 }]],
    handle({ value }, { out }) {
      out.doubled(value);
    },
  });
  const { send, settled, store, broker } = await stage(forgetful);
  await send({ id: "a", n: 1 });
  await settled(1);
  expect(store.buried[0]).toMatchObject({ cause: "output_misused" });
  expect(store.buried[0]?.error).toContain("out.doubled");
  expect(broker.records("doubled")).toEqual([]);
});

test("an output that is delayed is a row for its own topic and is not published", async () => {
  const later = handler({
    name: "later",
    on: numbers,
    out: { doubled },
    handle: ({ value }, { out }) => out.doubled({ ...value, n: 2 }, { after: "30s", reason: "rate_limit" }),
  });
  const { send, settled, store, broker } = await stage(later);
  await send({ id: "a", n: 1 });
  await settled(1);
  expect(store.scheduled[0]).toMatchObject({
    kind: "output",
    reason: "rate_limit",
    delayMs: 30_000,
    delivery: 0,
    record: { topic: "doubled" },
  });
  expect(broker.records("doubled")).toEqual([]);
});

test("an output that is too large sends its message to the dead letters and the partition goes on", async () => {
  const huge = handler({
    name: "huge",
    on: numbers,
    out: { doubled },
    handle: ({ value }, { out }) =>
      out.doubled({ ...value, padding: value.n === 1 ? "x".repeat(1_100_000) : "" }),
  });
  const { send, settled, store, broker } = await stage(huge);
  await send({ id: "a", n: 1 });
  await send({ id: "a", n: 2 });
  await settled(2);
  expect(store.buried.map((letter) => letter.cause)).toEqual(["record_too_large"]);
  expect(broker.records("doubled")).toHaveLength(1);
});

test("a handler that runs past its deadline is aborted and retried", async () => {
  let aborted = false;
  const slow = handler({
    name: "slow",
    on: numbers,
    timeout: "20ms",
    handle: (_message, { signal }) =>
      new Promise<void>(() => {
        signal.addEventListener("abort", () => (aborted = true));
      }),
  });
  const { send, settled, store } = await stage(slow);
  await send({ id: "a", n: 1 });
  await settled(1);
  expect(store.scheduled[0]).toMatchObject({ reason: "handler_timeout", attempts: 1 });
  expect(aborted).toBe(true);
});

test("revoked partitions drain and commit before they go, so a second member repeats nothing", async () => {
  const broker = new MemoryBroker();
  const seen: string[] = [];
  const { promise: gate, resolve: openGate } = Promise.withResolvers<void>();
  const { promise: busy, resolve: nowBusy } = Promise.withResolvers<void>();
  const counting = handler({
    name: "counting",
    on: numbers,
    order: { by: "none" },
    async handle({ value }) {
      nowBusy();
      await gate;
      seen.push(`${value.id}${value.n}`);
    },
  });
  const first = await stage(counting, { broker });
  for (let n = 0; n < 30; n++) await first.send({ id: `k${n}`, n });
  await busy;
  const second = stage(counting, { broker });
  openGate();
  const { settled } = await second;
  await Promise.race([first.settled(30), settled(30), Promise.all([first.settled(1), settled(1)])]);
  while (seen.length < 30) await new Promise(setImmediate);
  await Promise.all([first.consumer.stop(1_000), (await second).consumer.stop(1_000)]);
  expect(new Set(seen).size).toBe(30);
  expect(seen).toHaveLength(30);
});

test("lost partitions commit nothing and publish nothing any more", async () => {
  const { promise: gate, resolve: openGate } = Promise.withResolvers<void>();
  const { promise: busy, resolve: nowBusy } = Promise.withResolvers<void>();
  const { promise: over, resolve: nowOver } = Promise.withResolvers<void>();
  const slow = handler({
    name: "losing",
    on: numbers,
    out: { doubled },
    async handle({ value }, { out, signal }) {
      nowBusy();
      signal.addEventListener("abort", () => nowOver());
      await gate;
      return out.doubled(value);
    },
  });
  const { send, broker, consumer } = await stage(slow);
  await send({ id: "a", n: 1 });
  await busy;
  for (const member of broker.group("test.losing").members) member.lose();
  await over;
  openGate();
  await consumer.stop(1_000);
  expect(broker.records("doubled")).toEqual([]);
  expect(committedTotal(broker, slow)).toBe(0);
});

test("a backlog of handlers that make no promise leaves the event loop its turns", async () => {
  let seen = 0;
  let seenAtTurn = 0;
  const busy = handler({
    name: "busy",
    on: numbers,
    order: { by: "none" },
    handle() {
      if (seen++ === 0) setImmediate(() => (seenAtTurn = seen));
      const untilMs = performance.now() + 0.05;
      while (performance.now() < untilMs);
    },
  });
  const broker = new MemoryBroker();
  broker.ensure(numbers.name, 3);
  for (let n = 0; n < 2_000; n++) {
    const value = new TextEncoder().encode(JSON.stringify({ id: `k${n}`, n }));
    broker.append({ topic: numbers.name, key: value, value, headers: [] }, 0);
  }
  const { settled } = await stage(busy, { broker });
  await settled(2_000);
  expect(seenAtTurn).toBeGreaterThan(0);
  expect(seenAtTurn).toBeLessThan(2_000);
});

test("a handler that throws before its first promise fails its own message alone", async () => {
  const picky = handler({
    name: "thrower",
    on: numbers,
    out: { doubled },
    order: { by: "none" },
    handle({ value }, { out }) {
      if (value.n === 3) throw new TypeError("not this one");
      return out.doubled(value);
    },
  });
  const { send, settled, store, broker, consumer } = await stage(picky);
  for (let n = 0; n < 10; n++) await send({ id: `k${n}`, n });
  await settled(10);
  expect(store.scheduled.map(({ reason, record }) => [reason, record.topic])).toEqual([
    ["TypeError", "numbers.thrower.retry"],
  ]);
  expect(broker.records("doubled")).toHaveLength(9);
  await consumer.stop(1_000);
  expect(committedTotal(broker, picky)).toBe(10);
});
