/** A handler's limit, in one process, on the memory bus: who runs now, who waits here, who goes to the schedule. */
import { expect, test } from "bun:test";
import { systemClock } from "../../runtime/ground/clock.ts";
import { CauceError } from "../../runtime/ground/errors.ts";
import { handler } from "../../runtime/handler/handler.ts";
import type { Limit } from "../../runtime/handler/limit.ts";
import type { Order } from "../../runtime/handler/handler.ts";
import { readEnvelope, ticketOf } from "../../runtime/engine/envelope.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import type { TurnAnswer, TurnsAsked } from "../../runtime/store/turns.ts";
import { committedTotal, numbers, RecordingStore, stage, until } from "./stage.ts";

type Answer = (asked: TurnsAsked) => readonly TurnAnswer[] | null;

/** A store whose turns are told; null means: as ever. */
class ToldStore extends RecordingStore {
  readonly asked: TurnsAsked[] = [];
  answer: Answer = () => null;
  away = false;
  /** Nobody is answered before. */
  until: Promise<void> | null = null;
  readonly #turns = createMemoryStore({ clock: systemClock }).turns;
  override readonly turns = {
    take: async (asked: TurnsAsked) => {
      if (this.away) throw new CauceError("unavailable", "Postgres is away", { retryable: true });
      this.asked.push(asked);
      await this.until;
      return this.answer(asked) ?? (await this.#turns.take(asked));
    },
  };
}

const later = (asked: TurnsAsked, waitMs: number) =>
  asked.wanted.map(({ ticket }, at) => ({ granted: false, waitMs, ticket: ticket ?? at + 1 }));

function limited(
  ran: number[],
  options: {
    limit?: Limit<typeof numbers, unknown>;
    order?: Order;
    concurrency?: number;
    run?: (n: number) => Promise<void> | void;
  } = {},
) {
  const { limit = { by: "budget", perMinute: 60_000 }, order = { by: "none" }, concurrency = 4 } = options;
  return handler({
    name: "limited",
    on: numbers,
    order,
    concurrency,
    limit,
    async handle({ value: { n } }) {
      ran.push(n);
      await options.run?.(n);
    },
  });
}

test("a message whose turn is later goes to the schedule, with its place in line and nothing spent", async () => {
  const store = new ToldStore();
  store.answer = (asked) => later(asked, 20_000);
  const at = await stage(limited([]), { store });
  await at.send({ id: "a", n: 1 });
  await at.settled(1);
  const [row] = store.scheduled;
  expect(row).toMatchObject({ reason: "limit", attempts: 0, deferrals: 0, delivery: 1, delayMs: 19_500 });
  const record = { ...row?.record, partition: 0, offset: 0, timestampMs: 0, leaderEpoch: 0 };
  expect(readEnvelope(record as never)).toMatchObject({ attempts: 0, deferrals: 0 });
  expect(ticketOf(record as never)).toBe(1);
});

test("who has long to wait looks again half-way: the pace may have changed", async () => {
  const store = new ToldStore();
  store.answer = (asked) => later(asked, 600_000);
  const at = await stage(limited([]), { store });
  await at.send({ id: "a", n: 1 });
  await at.settled(1);
  expect(store.scheduled[0]?.delayMs).toBe(300_000);
});

test("a turn within a second is waited for in the process, and blocks no other budget", async () => {
  const store = new ToldStore();
  const ran: number[] = [];
  const slow = Promise.withResolvers<void>();
  let free = false;
  store.answer = (asked) =>
    asked.budget === "slow" && !free
      ? asked.wanted.map(() => ({ granted: false, waitMs: 20, ticket: 1 }))
      : null;
  const limit = {
    by: ({ value }: { value: { n: number } }) => (value.n < 100 ? "slow" : "quick"),
    perMinute: 6e6,
  };
  const at = await stage(limited(ran, { limit, concurrency: 2 }), { store });
  // More of them than may run at once.
  for (let n = 0; n < 20; n++) await at.send({ id: `k${n}`, n });
  for (let n = 100; n < 110; n++) await at.send({ id: `k${n}`, n });
  await until(() => ran.length === 10);
  expect(ran.every((n) => n >= 100)).toBe(true);
  free = true;
  slow.resolve();
  await until(() => ran.length === 30);
  expect(store.scheduled).toEqual([]);
});

test("in order of partition a message waits where it is, and those behind it stay behind it", async () => {
  const store = new ToldStore();
  const ran: number[] = [];
  let refusals = 3;
  store.answer = (asked) =>
    asked.wanted.length > 0 && refusals-- > 0
      ? asked.wanted.map(() => ({ granted: false, waitMs: 1_001, ticket: 1 }))
      : null;
  const clock = { ...systemClock, after: (ms: number, call: () => void) => systemClock.after(ms / 50, call) };
  const at = await stage(limited(ran, { order: { by: "partition" } }), { store, clock });
  for (let n = 0; n < 5; n++) await at.send({ id: "same", n });
  await until(() => ran.length === 5);
  expect(ran).toEqual([0, 1, 2, 3, 4]);
  expect(store.scheduled).toEqual([]);
});

test("all who come while one statement is under way ask in the next one", async () => {
  const store = new ToldStore();
  const answered = Promise.withResolvers<void>();
  store.until = answered.promise;
  const at = await stage(limited([], { concurrency: 64 }), { store });
  await at.send({ id: "first", n: 0 });
  await until(() => store.asked.length === 1);
  for (let n = 1; n < 64; n++) await at.send({ id: `k${n}`, n });
  await until(() => at.consumer.state.buffered === 64);
  answered.resolve();
  await at.settled(64);
  expect(store.asked.map(({ wanted }) => wanted.length)).toEqual([1, 63]);
});

test("a refusal is told at once, and those whose time was granted at the old pace ask again", async () => {
  const store = new ToldStore();
  const ran: number[] = [];
  let granted = 0;
  let slowed = false;
  store.answer = (asked) => {
    slowed ||= asked.refused;
    if (slowed) return null;
    // The first runs now; whoever comes second has a time in half a minute, which a refusal must end.
    return asked.wanted.map(() => ({ granted: true, waitMs: granted++ === 0 ? 0 : 30_000, ticket: null }));
  };
  const told = Promise.withResolvers<void>();
  const refusing = handler({
    name: "refusing",
    on: numbers,
    order: { by: "none" },
    limit: { by: "budget", perMinute: 6e6 },
    async handle({ value: { n } }, { turn }) {
      ran.push(n);
      if (ran.length > 1) return;
      await told.promise;
      turn.refused({ retryAfterMs: 7 });
      turn.used({ requests: 2, tokens: 300 });
    },
  });
  const at = await stage(refusing, { store });
  await at.send({ id: "a", n: 1 });
  await at.send({ id: "b", n: 2 });
  await until(() => granted === 2);
  told.resolve();
  await at.settled(2);
  expect(store.asked.find(({ refused }) => refused)).toMatchObject({ pauseMs: 7 });
  await until(() => store.asked.some(({ tokens }) => tokens === 300));
  expect(store.asked.some(({ requests }) => requests === 2)).toBe(true);
});

test("no more run at the same time than may, and one that ends lets the next go", async () => {
  const store = new ToldStore();
  let running = 0;
  let most = 0;
  const run = async () => {
    most = Math.max(most, ++running);
    await Bun.sleep(1);
    running--;
  };
  const at = await stage(limited([], { limit: { by: "budget", inFlight: 2 }, concurrency: 64, run }), {
    store,
  });
  for (let n = 0; n < 30; n++) await at.send({ id: `k${n}`, n });
  await at.settled(30);
  expect(most).toBe(2);
});

test("what nobody can read needs no turn, nor does a message that names no budget", async () => {
  const store = new ToldStore();
  store.answer = (asked) => later(asked, 1e6);
  const ran: number[] = [];
  const at = await stage(limited(ran, { limit: { by: () => null, perMinute: 1 } }), { store });
  await at.sendBytes(new TextEncoder().encode("{"));
  await at.send({ id: "a", n: 1 });
  await at.settled(2);
  expect([store.asked.length, store.buried.length, ran]).toEqual([0, 1, [1]]);
});

test("while the database is away nobody has a turn, and none is lost", async () => {
  const store = new ToldStore();
  store.away = true;
  const ran: number[] = [];
  const tested = limited(ran);
  const at = await stage(tested, { store });
  await at.send({ id: "a", n: 1 });
  await Bun.sleep(0);
  expect(ran).toEqual([]);
  store.away = false;
  await at.settled(1);
  await until(() => committedTotal(at.broker, tested) === 1);
});

test("a message that waits here when its process stops is not finished", async () => {
  const store = new ToldStore();
  store.answer = (asked) => asked.wanted.map(() => ({ granted: true, waitMs: 60_000, ticket: null }));
  const tested = limited([]);
  const at = await stage(tested, { store });
  await at.send({ id: "a", n: 1 });
  await until(() => store.asked.length > 0);
  await at.consumer.stop(5_000);
  expect(committedTotal(at.broker, tested)).toBe(0);
});

test("a limit that cannot work is refused, with what was expected", () => {
  const declare = (limit: object, more: object = {}) =>
    handler({ name: "h", on: numbers, limit: limit as never, handle: () => undefined, ...more });
  expect(() => declare({ by: "", perMinute: 1 })).toThrow("limit.by must be a name");
  expect(() => declare({ by: "b" })).toThrow("limit.perMinute must be given");
  expect(() => declare({ by: "b", perMinute: 0 })).toThrow("limit.perMinute must be more than 0, not 0");
  expect(() => declare({ by: "b", inFlight: 1.5 })).toThrow("limit.inFlight must be a whole number from 1");
  expect(() => declare({ by: "b", perMinute: 1 }, { batch: { max: 2, within: "1s" } })).toThrow(
    "left out for batches",
  );
});
