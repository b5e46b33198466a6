/** Messages that were written by hand, over the store in memory: checked, completed, and parked where they do not fit. */
import { afterEach, expect, test } from "bun:test";
import { handler, topic } from "cauce";
import * as v from "valibot";
import type { OutgoingRecord } from "../../runtime/bus/bus.ts";
import { readEnvelope } from "../../runtime/engine/envelope.ts";
import { CauceError } from "../../runtime/ground/errors.ts";
import { silentLog, type Log } from "../../runtime/ground/log.ts";
import { scheduledTopics } from "../../runtime/main/topic-plans.ts";
import { startScheduler, type Scheduler, type SchedulerOptions } from "../../runtime/scheduler/scheduler.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import type { Misfit, ScheduledMessage } from "../../runtime/store/store.ts";
import { heldClock } from "../store/held-clock.ts";
import { bytes, message } from "../store/messages.ts";

const orders = topic("orders", {
  schema: v.looseObject({ id: v.string(), count: v.optional(v.number(), 1) }),
  key: (order) => {
    if (order.id === "no key") throw new RangeError("it has no key");
    return `key of ${order.id}`;
  },
  version: 3,
});
const slow = topic("slow", {
  schema: v.pipeAsync(
    v.object({ id: v.string() }),
    v.checkAsync(async ({ id }) => id !== "no", "not this one"),
  ),
});
const ship = handler({ name: "ship", on: orders, out: { slow }, handle() {} });

let running: Scheduler | undefined;
afterEach(() => running?.stop());

function given(more: Partial<SchedulerOptions> = {}) {
  const clock = heldClock();
  const store = createMemoryStore({ clock });
  const sent: OutgoingRecord[] = [];
  const said: string[] = [];
  const misfits: Misfit[] = [];
  const published: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: (event, fields) => said.push(`${event}: ${String(fields?.["problem"])}`),
  };
  const topics = scheduledTopics("shop", [ship]);
  running = startScheduler({
    store,
    publish: async (records) => void sent.push(...records),
    topics: [...topics.keys()],
    declared: { app: "shop", topics },
    clock,
    random: () => 1,
    log,
    recheckMs: 60_000,
    observe: {
      parked: (parked) => misfits.push(...parked),
      published: (due) => published.push(...due.map(({ messageId }) => messageId)),
    },
    ...more,
  });
  return { clock, store, sent, said, misfits, published };
}

const order = (messageId: string, value: string | null, more: Partial<ScheduledMessage> = {}) =>
  message({
    messageId,
    handler: "client",
    attempts: 0,
    record: { topic: "orders", key: null, value: value === null ? null : bytes(value), headers: [] },
    ...more,
  });
const text = (value: Uint8Array | null | undefined) => new TextDecoder().decode(value ?? new Uint8Array());
const headersOf = (record: OutgoingRecord | undefined) =>
  Object.fromEntries((record?.headers ?? []).map(([name, value]) => [name, text(value)]));

test("a message written by hand goes out as the engine would have written it: id, birth, version, key; its bytes untouched", async () => {
  const { clock, store, sent } = given();
  const value = '{ "id": "7",  "more": true }';
  store.write(order("row's id", value, { bornAtMs: 1_700_000_000_123 }));
  await clock.pass(1);
  expect(sent.map((record) => [record.topic, text(record.key), text(record.value)])).toEqual([
    ["orders", "key of 7", value],
  ]);
  expect(headersOf(sent[0])).toEqual({
    ce_specversion: "1.0",
    ce_id: "row's id",
    ce_source: "/shop",
    ce_type: "orders",
    ce_time: "2023-11-14T22:13:20.123Z",
    "content-type": "application/json",
    cauce_schema: "3",
  });
});

test("headers and a key that its writer gave stay, but for those that say who it is", async () => {
  const { clock, store, sent } = given();
  const headers = [
    ["ce_id", bytes("somebody else")],
    ["ce_source", bytes("/billing")],
    ["cauce_attempts", bytes("99")],
    ["cauce_place", bytes("1/1")],
    ["tenant", bytes("blue")],
  ] as const;
  const record = { topic: "orders", key: bytes("mine"), value: bytes('{"id":"7"}'), headers };
  store.write(order("m", null, { record, version: 2 }));
  await clock.pass(1);
  expect(text(sent[0]?.key)).toBe("mine");
  expect(headersOf(sent[0])).toMatchObject({
    ce_id: "m",
    ce_source: "/billing",
    tenant: "blue",
    cauce_schema: "2",
  });
  const at = { partition: 0, offset: 0, timestampMs: 0, leaderEpoch: 0 };
  expect(readEnvelope({ ...at, ...sent[0] } as never)).toMatchObject({
    id: "m",
    attempts: 0,
    place: null,
  });
});

test("an edited retry has its handler's schema, and keeps its counters", async () => {
  const { clock, store, sent, misfits } = given();
  const record = { topic: "orders.ship.retry", key: bytes("k"), value: bytes("{}"), headers: [] };
  const retry = { handler: "ship", delivery: 2, attempts: 1, deferrals: 4, record };
  await store.schedule(["fits", "does not"].map((messageId) => message({ ...retry, messageId, delayMs: 5 })));
  const [fits, not] = store.waiting;
  store.edit(fits?.row ?? 0n, bytes('{"id":"7"}'));
  store.edit(not?.row ?? 0n, bytes('{"id":7}'));
  await clock.pass(5);
  expect(headersOf(sent[0])).toMatchObject({
    ce_id: "fits",
    cauce_attempts: "1",
    cauce_deferrals: "4",
    cauce_delivery: "2",
  });
  expect(misfits.map(({ problem }) => problem)).toEqual([
    expect.stringContaining("not a value of orders: id: "),
  ]);
});

test("what does not fit is parked and said once with what is wrong, its neighbours go out, and there is no loop", async () => {
  const { clock, store, sent, said, misfits, published } = given();
  await store.schedule([order("runtime's", "no JSON, and nobody looks")]);
  store.write(order("wrong type", '{"id":7}'));
  store.write(order("no JSON", "{"));
  store.write(order("nothing", null));
  store.write(order("no key", '{"id":"no key"}'));
  store.write(order("x".repeat(257), '{"id":"7"}'));
  store.write(order("good", '{"id":"7"}'));
  await clock.pass(300_000);
  expect(sent.map((record) => headersOf(record)["ce_id"] ?? text(record.value))).toEqual([
    "no JSON, and nobody looks",
    "good",
  ]);
  expect(published).toEqual(["runtime's", "good"]);
  expect(store.parked.map(({ problem }) => problem)).toEqual([
    expect.stringContaining("not a value of orders: id: "),
    expect.stringContaining("the value is not JSON"),
    "it has no value",
    "it has no key",
    "its id must have 1 to 256 characters, not 257",
  ]);
  expect(misfits.length).toBe(5);
  expect(said.length).toBe(5);
  expect(said[2]).toBe(
    "a message that was written by hand does not fit its topic; it is parked until it is put right: it has no value",
  );
  expect(store.deadLetters).toEqual([]);
  expect(store.waiting).toEqual([]);
});

test("a parked message that is put right goes out, under the same id", async () => {
  const { clock, store, sent } = given();
  store.write(order("m", '{"id":7}'));
  await clock.pass(1);
  expect(sent).toEqual([]);
  store.edit(store.parked[0]?.row ?? 0n, bytes('{"id":"7"}'));
  await clock.pass(1);
  expect(sent.map((record) => headersOf(record)["ce_id"])).toEqual(["m"]);
  expect(store.parked).toEqual([]);
});

test("a schema that answers later is waited for", async () => {
  const { clock, store, sent } = given();
  for (const id of ["yes", "no"])
    store.write(
      order(id, null, { record: { topic: "slow", key: null, value: bytes(`{"id":"${id}"}`), headers: [] } }),
    );
  await clock.pass(1);
  expect(sent.map((record) => [headersOf(record)["ce_id"], record.key])).toEqual([["yes", null]]);
  expect(store.parked.map(({ problem }) => problem)).toEqual(["not a value of slow: value: not this one"]);
});

test("one that is too large for the broker is parked too: whoever wrote it can put it right", async () => {
  const { clock, store } = given({
    async publish(records) {
      if (records.some(({ value }) => (value?.length ?? 0) > 30))
        throw new CauceError("record_too_large", "too large");
    },
  });
  store.write(order("large", `{"id":"${"7".repeat(30)}"}`));
  store.write(order("small", '{"id":"7"}'));
  await clock.pass(1);
  expect(store.parked.map(({ message: { messageId }, problem }) => [messageId, problem])).toEqual([
    ["large", "too large"],
  ]);
  expect(store.waiting).toEqual([]);
  expect(store.deadLetters).toEqual([]);
});

test("a claim that fails after the check parks nothing and says nothing of it", async () => {
  let away = true;
  const { clock, store, said } = given({
    async publish() {
      if (away) throw new CauceError("broker", "away", { retryable: true });
    },
  });
  store.write(order("wrong", '{"id":7}'));
  store.write(order("good", '{"id":"7"}'));
  await clock.pass(1);
  expect(store.parked).toEqual([]);
  expect(said.filter((line) => line.includes("parked"))).toEqual([]);
  away = false;
  await clock.pass(10_000);
  expect(store.parked.length).toBe(1);
  expect(said.filter((line) => line.includes("parked")).length).toBe(1);
});

test("rows of a version above the declared one are left, and the scheduler sleeps", async () => {
  let claims = 0;
  const { clock, store, sent } = given();
  const claim = store.claim.bind(store);
  store.claim = (options) => {
    claims++;
    return claim(options);
  };
  await store.schedule([
    order("newer", '{"id":"7"}', { version: 4 }),
    order("known", '{"id":"7"}', { version: 3 }),
  ]);
  await clock.pass(59_000);
  expect(sent.length).toBe(1);
  expect(store.waiting.map((row) => row.message.messageId)).toEqual(["newer"]);
  expect(claims).toBeLessThan(5);
});
