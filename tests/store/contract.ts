/**
 * What every form of the store must do, in one suite.
 *
 * In: a way to make a store, and to let time pass on its clock. Out: tests.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { RecordHeaders } from "../../runtime/bus/bus.ts";
import type { DueMessage, ScheduledMessage, Store, TopicVersions } from "../../runtime/store/store.ts";
import { bytes, letter, message } from "./messages.ts";
import { rejectionOf } from "./rejection.ts";

export interface StoreUnderTest {
  readonly store: Store;
  /** Resolves when `ms` have passed on the clock that decides what is due. */
  pass(ms: number): Promise<void>;
  /** Removes a waiting row as an operator would. */
  cancel(messageId: string): Promise<void>;
}

export function storeContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} keeps the store's contract:`, () => {
    let under: StoreUnderTest;
    let store: Store;
    beforeEach(async () => {
      under = await make();
      store = under.store;
    });
    afterEach(() => store.close());

    test("a message that is due comes back exactly as it was given", async () => {
      const given = message({
        handler: "answer",
        messageId: "id \\ \0 \ud800 ñ 🦉",
        delivery: 3,
        attempts: 2,
        deferrals: 7,
        record: {
          topic: "t",
          key: new Uint8Array([0, 255, 1]),
          value: new Uint8Array(Array(256).keys()),
          headers: [
            ["a", bytes("1")],
            ["a", bytes("2")],
            ["nul\0name,\"{}'\\", null],
            ["", new Uint8Array()],
          ],
        },
      });
      expect(await store.schedule([given])).toBe(1);
      const [due] = await claimAll(store, ["t"]);
      expect(due).toMatchObject({
        handler: given.handler,
        messageId: given.messageId,
        delivery: 3,
        attempts: 2,
        deferrals: 7,
      });
      expect(plain(due?.record)).toEqual(plain(given.record));
      expect(due?.lateMs).toBeGreaterThanOrEqual(0);
      // Of this minute, whatever unit the database's clock has.
      expect(due?.lateMs).toBeLessThan(60_000);
    });

    test("records that are written together have their own headers each, whatever the one before them has", async () => {
      const all: RecordHeaders[] = [
        [["a", bytes("1")]],
        [],
        [["a", bytes("2")]],
        [
          ["b", bytes("3")],
          ["a", null],
        ],
        [
          ["a", bytes("4")],
          ["b", bytes("5")],
        ],
        [["\ufeffa", bytes("6")]],
      ];
      const given = all.map((headers, n) =>
        message({ messageId: `${n}`, record: { topic: "t", key: null, value: null, headers } }),
      );
      await store.schedule(given);
      const due = await claimAll(store, ["t"]);
      for (const { messageId, record } of given)
        expect(plain(due.find((each) => each.messageId === messageId)?.record)).toEqual(plain(record));
    });

    test("null and empty keys and values stay apart", async () => {
      await store.schedule([
        message({ messageId: "1", record: { topic: "t", key: null, value: null, headers: [] } }),
        message({
          messageId: "2",
          record: { topic: "t", key: new Uint8Array(), value: new Uint8Array(), headers: [] },
        }),
      ]);
      const due = await claimAll(store, ["t"]);
      const record = (id: string) => due.find(({ messageId }) => messageId === id)?.record;
      expect(record("1")?.key).toBeNull();
      expect(record("1")?.value).toBeNull();
      expect(record("2")?.key?.length).toBe(0);
      expect(record("2")?.value?.length).toBe(0);
    });

    test("nothing is claimed before it is due", async () => {
      await store.schedule([message({ messageId: "later", delayMs: 300 })]);
      expect(await claimAll(store, ["t"])).toEqual([]);
      const nextMs = await store.nextDueMs(["t"]);
      expect(nextMs).toBeGreaterThan(0);
      expect(nextMs).toBeLessThanOrEqual(300);
      await under.pass(310);
      expect(await store.nextDueMs(["t"])).toBe(0);
      expect((await claimAll(store, ["t"])).map(({ messageId }) => messageId)).toEqual(["later"]);
      expect(await store.nextDueMs(["t"])).toBeNull();
    });

    test("rows come in order of due time, then of insertion, up to the limit", async () => {
      await store.schedule([
        message({ messageId: "b", delayMs: 20 }),
        message({ messageId: "z", delayMs: 0 }),
        message({ messageId: "a", delayMs: 0 }),
      ]);
      await under.pass(40);
      const first: string[] = [];
      const take = (limit: number) =>
        store.claim({
          topics: ["t"],
          limit,
          async publish(due) {
            first.push(...due.map(({ messageId }) => messageId));
          },
        });
      expect(await take(2)).toBe(2);
      expect(first).toEqual(["z", "a"]);
      expect(await take(2)).toBe(1);
      expect(first).toEqual(["z", "a", "b"]);
      expect(await take(2)).toBe(0);
    });

    test("only rows of the topics that were asked for are claimed", async () => {
      await store.schedule([message({ messageId: "mine" }), message({ messageId: "other", topic: "other" })]);
      expect((await claimAll(store, ["t", "unused"])).map(({ messageId }) => messageId)).toEqual(["mine"]);
      expect(await store.nextDueMs(["t"])).toBeNull();
      expect(await store.nextDueMs(["other"])).toBe(0);
    });

    test("a limit smaller than the number of topics is kept", async () => {
      await store.schedule(["a", "b", "c"].map((topic) => message({ messageId: topic, topic })));
      let most = 0;
      const publish = async (due: readonly DueMessage[]) => void (most = Math.max(most, due.length));
      while ((await store.claim({ topics: ["a", "b", "c"], limit: 1, publish })) > 0);
      expect(most).toBe(1);
      expect(await store.nextDueMs(["a", "b", "c"])).toBeNull();
    });

    test("a failed publish puts every row back, and says why", async () => {
      await store.schedule([message({ messageId: "1" }), message({ messageId: "2" })]);
      const away = new Error("the broker is away");
      expect(
        await rejectionOf(store.claim({ topics: ["t"], limit: 10, publish: () => Promise.reject(away) })),
      ).toBe(away);
      expect((await claimAll(store, ["t"])).length).toBe(2);
    });

    test("a key is written once: repeats in one batch, later, after its publication and after its cancellation are ignored", async () => {
      const published = message({ messageId: "published" });
      const cancelled = message({ messageId: "cancelled", delayMs: 60_000 });
      expect(await store.schedule([published, published, cancelled])).toBe(2);
      expect(await store.schedule([published, cancelled])).toBe(0);
      expect((await claimAll(store, ["t"])).length).toBe(1);
      await under.cancel("cancelled");
      expect(await store.nextDueMs(["t"])).toBeNull();
      expect(await store.schedule([cancelled, published])).toBe(0);
      expect(await store.nextDueMs(["t"])).toBeNull();
    });

    test("handler, message id and delivery each make another key", async () => {
      const base = message({ messageId: "m" });
      const others: ScheduledMessage[] = [
        { ...base, delivery: 1 },
        { ...base, handler: "other" },
        { ...base, messageId: "m2" },
      ];
      expect(await store.schedule([base, ...others])).toBe(4);
    });

    test("a repeat while the row is being published is ignored too", async () => {
      const given = message({ messageId: "busy" });
      await store.schedule([given]);
      let repeated = -1;
      await store.claim({
        topics: ["t"],
        limit: 1,
        async publish() {
          repeated = await store.schedule([given]);
        },
      });
      expect(repeated).toBe(0);
      expect(await store.nextDueMs(["t"])).toBeNull();
    });

    test("ids of any length are told apart", async () => {
      const long = "x".repeat(20_000);
      expect(
        await store.schedule([message({ messageId: `${long}a` }), message({ messageId: `${long}b` })]),
      ).toBe(2);
      expect(await store.schedule([message({ messageId: `${long}a` })])).toBe(0);
      const ids = (await claimAll(store, ["t"])).map(({ messageId }) => messageId.at(-1));
      expect(ids.toSorted((a = "", b = "") => a.localeCompare(b))).toEqual(["a", "b"]);
    });

    test("nonsense in numbers is bounded and never an error", async () => {
      expect(
        await store.schedule([
          message({
            messageId: "odd",
            delayMs: -1e99,
            attempts: 1e99,
            deferrals: Number.NaN,
            bornAtMs: Number.POSITIVE_INFINITY,
          }),
          message({ messageId: "far", delayMs: 1e99 }),
        ]),
      ).toBe(2);
      expect((await claimAll(store, ["t"])).map(({ messageId }) => messageId)).toEqual(["odd"]);
      expect(await store.nextDueMs(["t"])).toBeLessThanOrEqual(366 * 86_400_000);
    });

    test("a dead letter is written once per key", async () => {
      expect(await store.bury([letter({ messageId: "x" }), letter({ messageId: "y\0" })])).toBe(2);
      expect(await store.bury([letter({ messageId: "x" }), letter({ messageId: "z" })])).toBe(1);
    });

    test("an earlier row is announced", async () => {
      const heard = Promise.withResolvers<void>();
      const armed = Promise.withResolvers<void>();
      // The first call may come from the start of listening.
      const end = store.onEarlier(() => (calls++ === 0 ? armed.resolve() : heard.resolve()));
      let calls = 0;
      await store.schedule([message({ messageId: "far", delayMs: 3_600_000 })]);
      await armed.promise;
      await store.schedule([message({ messageId: "near", delayMs: 1_000 })]);
      await heard.promise;
      end();
    });

    test("a word to a handler reaches those who listen for it alone", async () => {
      const told: string[] = [];
      const heard = Promise.withResolvers<void>();
      const ends = [
        store.onResume("other", () => told.push("other")),
        store.onResume("h", () => {
          told.push("h");
          heard.resolve();
        }),
      ];
      // Listening may only just begin: a word is repeated until it is heard.
      const again = setInterval(() => void store.resume("h").catch(() => undefined), 50);
      await store.resume("h");
      await heard.promise;
      clearInterval(again);
      expect(new Set(told)).toEqual(new Set(["h"]));
      for (const end of ends) end();
    });

    test("counts say what waits, what is due and how old the oldest is, by topic", async () => {
      await store.schedule([
        message({ messageId: "1" }),
        message({ messageId: "2", delayMs: 60_000 }),
        message({ messageId: "3", topic: "u", delayMs: 60_000 }),
      ]);
      await under.pass(20);
      const counts = await store.counts();
      expect(counts.toSorted((a, b) => (a.topic < b.topic ? -1 : 1))).toEqual([
        { topic: "t", waiting: 2, due: 1, oldestDueMs: expect.any(Number) },
        { topic: "u", waiting: 1, due: 0, oldestDueMs: 0 },
      ]);
      expect(counts.find(({ topic }) => topic === "t")?.oldestDueMs).toBeGreaterThanOrEqual(20);
    });

    test("nothing to do is no work", async () => {
      expect(await store.schedule([])).toBe(0);
      expect(await store.bury([])).toBe(0);
      expect(await store.nextDueMs([])).toBeNull();
      expect(await store.claim({ topics: [], limit: 1, publish: () => Promise.resolve() })).toBe(0);
      expect(await store.counts()).toEqual([]);
    });

    test("a closed store says that it is closed", async () => {
      await store.close();
      expect(await rejectionOf(store.schedule([message({ messageId: "late" })]))).toMatchObject({
        code: "closed",
      });
      expect(store.connected).toBe(false);
    });
  });
}

/** Claims until nothing is due. */
export async function claimAll(
  store: Store,
  topics: readonly string[],
  versions?: TopicVersions,
): Promise<readonly DueMessage[]> {
  const all: DueMessage[] = [];
  const publish = async (due: readonly DueMessage[]) => void all.push(...due);
  const options = { topics, limit: 100, publish, ...(versions && { versions }) };
  while ((await store.claim(options)) > 0);
  return all;
}

function plain(record: DueMessage["record"] | undefined) {
  const list = (value: Uint8Array | null) => (value === null ? null : [...value]);
  return (
    record && {
      topic: record.topic,
      key: list(record.key),
      value: list(record.value),
      headers: record.headers.map(([name, value]) => [name, list(value)]),
    }
  );
}
