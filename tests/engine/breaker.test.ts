/** A handler that fails at everything is paused, and goes on when it works again. */
import { expect, test } from "bun:test";
import { GiveUp, handler } from "cauce";
import { LIMITS } from "../../runtime/engine/limits.ts";
import { systemClock, type Clock } from "../../runtime/ground/clock.ts";
import { silentLog, type Log } from "../../runtime/ground/log.ts";
import { MemoryBroker } from "../../runtime/bus/memory-broker.ts";
import { committedTotal, numbers, stage, until } from "./stage.ts";

const { least, probeMs } = LIMITS.breaker;

/** The system's clock, but the breaker's pause passes when the test says so. */
function probeClock() {
  let probe: (() => void) | null = null;
  let aheadMs = 0;
  const clock: Clock = {
    nowMs: () => systemClock.nowMs(),
    monotonicMs: () => systemClock.monotonicMs() + aheadMs,
    after(delayMs, call) {
      if (delayMs < probeMs / 2 || delayMs > probeMs) return systemClock.after(delayMs, call);
      probe = call;
      return () => (probe = null);
    },
  };
  return {
    clock,
    /** Resolves once the breaker waits for its next probe; then its time passes. */
    passes: async () => {
      await until(() => probe !== null);
      const call = probe;
      probe = null;
      aheadMs += probeMs;
      call?.();
    },
  };
}

function alarms() {
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (text) => void errors.push(text), with: () => log };
  return { log, errors };
}

test("a deploy that fails at everything stops after the first messages, keeps all offsets and spends no more attempts", async () => {
  let broken = true;
  let runs = 0;
  const deploy = handler({
    name: "deploy",
    on: numbers,
    concurrency: 1,
    handle() {
      runs++;
      if (broken) throw new TypeError("undefined is not a function");
    },
  });
  const { clock, passes } = probeClock();
  const { log, errors } = alarms();
  const { send, settled, store, consumer, broker } = await stage(deploy, { clock, log });
  for (let n = 0; n < 100; n++) await send({ id: "same", n });
  await until(() => consumer.state.broken);
  expect(errors).toEqual([
    "a handler fails at most messages and is paused; offsets are kept, no attempts are spent",
  ]);
  expect(consumer.state.waitingFor).toContain("fails at most messages");
  expect(runs).toBe(least);
  // The message that opened it is held too.
  expect(store.scheduled).toHaveLength(least - 1);

  await passes();
  await until(() => runs === least + 1);
  await until(() => consumer.state.broken);
  expect(store.scheduled).toHaveLength(least - 1);

  broken = false;
  await passes();
  await settled(100);
  expect(consumer.state.broken).toBe(false);
  expect(consumer.state.waitingFor).toBeNull();
  expect(store.scheduled).toHaveLength(least - 1);
  expect(store.buried).toEqual([]);
  await consumer.stop(1_000);
  expect(committedTotal(broker, deploy)).toBe(100);
});

test("while it is paused a stop does not wait for it, and commits nothing of what is held", async () => {
  const deploy = handler({
    name: "stopping",
    on: numbers,
    order: { by: "none" },
    concurrency: 8,
    async handle() {
      await Promise.resolve();
      throw new TypeError("boom");
    },
  });
  const { clock } = probeClock();
  const { send, store, consumer, broker } = await stage(deploy, { clock });
  for (let n = 0; n < 60; n++) await send({ id: "same", n });
  await until(() => consumer.state.broken);
  const spent = store.scheduled.length;
  await consumer.stop(60_000);
  expect(store.scheduled).toHaveLength(spent);
  expect(committedTotal(broker, deploy)).toBe(spent);
});

test("poison among good messages, messages nobody can read and messages that were given up never pause a handler", async () => {
  const picky = handler({
    name: "picky",
    on: numbers,
    order: { by: "none" },
    handle({ value }) {
      if (value.n % 3 === 0) throw new TypeError("poison");
      if (value.n % 3 === 1) throw new GiveUp("no use");
    },
  });
  const { send, sendBytes, settled, consumer, store } = await stage(picky);
  for (let n = 0; n < 60; n++) {
    await sendBytes(Uint8Array.of(0xff));
    await send({ id: `k${n}`, n: n < 30 ? 3 * n + 1 : 2 });
  }
  for (let n = 0; n < 30; n++) await send({ id: `k${n}`, n: n % 2 === 0 ? 0 : 2 });
  await settled(150);
  expect(consumer.state.broken).toBe(false);
  expect(store.buried).toHaveLength(90);
});

test("a run of the breaker's probe that finds no held message takes the next one", async () => {
  let broken = true;
  const deploy = handler({
    name: "inviting",
    on: numbers,
    concurrency: 64,
    order: { by: "none" },
    handle() {
      if (broken) throw new TypeError("boom");
    },
  });
  const { clock, passes } = probeClock();
  const { send, settled, consumer, broker } = await stage(deploy, { clock });
  for (let n = 0; n < 60; n++) await send({ id: "same", n });
  await until(() => consumer.state.broken);
  // All that is held goes with its partitions; the breaker stays open.
  for (const member of broker.group("test.inviting").members) member.lose();
  broken = false;
  void broker.rebalance("test.inviting");
  await passes();
  await settled(60);
  expect(consumer.state.broken).toBe(false);
});

test("it goes on at once when somebody says so, and is paused again when that was wrong", async () => {
  let broken = true;
  const deploy = handler({
    name: "deploy",
    on: numbers,
    handle() {
      if (broken) throw new TypeError("undefined is not a function");
    },
  });
  const { clock } = probeClock();
  const { log, errors } = alarms();
  const { send, settled, store, consumer } = await stage(deploy, { clock, log });
  for (let n = 0; n < 100; n++) await send({ id: String(n), n });
  await until(() => consumer.state.broken);
  await store.resume("another");
  expect(consumer.state.broken).toBe(true);
  await store.resume("deploy");
  await until(() => errors.length === 2);
  expect(consumer.state.broken).toBe(true);
  broken = false;
  await store.resume("deploy");
  const outcomes = await settled(100);
  expect(outcomes.filter(({ kind }) => kind === "done").length).toBeGreaterThanOrEqual(100 - 3 * least);
  expect(consumer.state.broken).toBe(false);
});

test("messages that fail at first, left over by an owner who finished the others, are no bad deploy", async () => {
  const broker = new MemoryBroker();
  const seen = new Set<string>();
  const first = handler({
    name: "left",
    on: numbers,
    order: { by: "none" },
    concurrency: 1_000,
    async handle({ value }) {
      // Those of the first owner that fail at first never come to their end.
      if (value.n % 5 === 0) await new Promise(() => {});
    },
  });
  const one = await stage(first, { broker });
  for (let n = 0; n < 5 * (least + 10); n++) await one.send({ id: "same", n });
  await one.settled(4 * (least + 10));
  await until(() => broker.group("test.left").metadata.size > 0);
  broker.kill("test.left");
  const { log, errors } = alarms();
  const second = handler({
    name: "left",
    on: numbers,
    handle({ id, attempt }) {
      seen.add(id);
      if (attempt === 1) throw new Error("only the first time");
    },
  });
  const two = await stage(second, { broker, log });
  await two.settled(least + 10);
  expect(errors).toEqual([]);
  expect(two.consumer.state.broken).toBe(false);
});

test("where only messages that fail are held, one that is not held is tried too", async () => {
  const tried: string[] = [];
  const failing = handler({
    name: "some",
    on: numbers,
    order: { by: "key", whileRetrying: "skip" },
    concurrency: 1_000,
    handle({ value }) {
      if (value.id.startsWith("bad")) throw new Error("these keys always fail");
      tried.push(value.id);
    },
  });
  const { clock, passes } = probeClock();
  const { log, errors } = alarms();
  const { send, consumer } = await stage(failing, { clock, log });
  for (let n = 0; n < least + 5; n++) await send({ id: `bad${n}`, n });
  await until(() => consumer.state.broken);
  expect(errors.length).toBe(1);
  await send({ id: "good", n: 1 });
  // Those that had not been started when it was paused come first.
  while (tried.length === 0) {
    await passes();
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test("one bad key is no bad deploy, however many of its messages come in a row; a few keys that all fail are one", async () => {
  const failing = (name: string) =>
    handler({
      name,
      on: numbers,
      order: { by: "key", whileRetrying: "skip" },
      handle({ value }) {
        if (value.id !== "good") throw new Error("no");
      },
    });
  const { log, errors } = alarms();
  const one = await stage(failing("one"), { log });
  for (let n = 0; n < 100; n++) await one.send({ id: n < 30 ? "good" : "bad", n });
  await one.settled(100);
  expect(errors).toEqual([]);
  const few = await stage(failing("few"), { log });
  for (let n = 0; n < 100; n++) await few.send({ id: `bad${n % 6}`, n });
  await until(() => few.consumer.state.broken);
  expect(errors.length).toBe(1);
});
