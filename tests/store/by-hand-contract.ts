/**
 * What every form of the store must do with messages that people and other programs wrote, and with versions.
 *
 * In: a way to make a store and to write into it as an operator would. Out: tests.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { DueMessage, Place, ScheduledMessage, Store } from "../../runtime/store/store.ts";
import { claimAll, type StoreUnderTest } from "./contract.ts";
import { message } from "./messages.ts";
import { rejectionOf } from "./rejection.ts";

export interface HandsUnderTest extends StoreUnderTest {
  /** Inserts a message as an operator would. */
  write(message: ScheduledMessage): Promise<void>;
  /** Gives a waiting or parked message another value as an operator would. */
  edit(messageId: string, value: string): Promise<void>;
  /** Ids and problems of what is parked. */
  parked(): Promise<readonly (readonly [messageId: string, problem: string])[]>;
}

export function byHandContract(name: string, make: () => Promise<HandsUnderTest>): void {
  describe(`${name} keeps the contract of what is written by hand:`, () => {
    let under: HandsUnderTest;
    let store: Store;
    beforeEach(async () => {
      under = await make();
      store = under.store;
    });
    afterEach(() => store.close());

    /** Claims once and parks those ids; resolves with the ids that were claimed. */
    async function claimParking(ids: readonly string[]): Promise<readonly string[]> {
      const claimed: string[] = [];
      await store.claim({
        topics: ["t"],
        limit: 100,
        async publish(due) {
          claimed.push(...due.map(({ messageId }) => messageId));
          return due
            .filter(({ messageId }) => ids.includes(messageId))
            .map((each) => ({ due: each, problem: `${each.messageId} is wrong` }));
        },
      });
      return claimed;
    }

    test("a claim says what was written or edited by hand, with its birth and version, and of nothing else", async () => {
      await store.schedule([message({ messageId: "runtime" }), message({ messageId: "edited" })]);
      await under.write(message({ messageId: "inserted", version: 2, bornAtMs: 1_234_567_890_123 }));
      await under.edit("edited", "new");
      const due = new Map((await claimAll(store, ["t"])).map((each) => [each.messageId, each]));
      expect(due.get("runtime")?.byHand).toBeUndefined();
      expect(due.get("inserted")?.byHand).toEqual({ bornAtMs: 1_234_567_890_123, version: 2 });
      expect(due.get("edited")?.byHand).toMatchObject({ version: null });
      expect(due.get("edited")?.record.value).toEqual(Buffer.from("new"));
    });

    test("what does not fit is parked with its problem, its neighbours are gone, and nobody claims it again", async () => {
      for (const messageId of ["a", "bad", "b"]) await under.write(message({ messageId }));
      expect((await claimParking(["bad"])).toSorted()).toEqual(["a", "b", "bad"]);
      expect(await under.parked()).toEqual([["bad", "bad is wrong"]]);
      expect(await claimAll(store, ["t"])).toEqual([]);
      expect(await store.nextDueMs(["t"])).toBeNull();
      // It may still be put right, so it is no new one.
      expect(await store.schedule([message({ messageId: "bad" })])).toBe(0);
    });

    test("a parked message that is put right comes again", async () => {
      await under.write(message({ messageId: "bad" }));
      await claimParking(["bad"]);
      await under.edit("bad", "right");
      const due = await claimAll(store, ["t"]);
      expect(due.map(({ messageId, byHand }) => [messageId, byHand !== undefined])).toEqual([["bad", true]]);
      expect(await under.parked()).toEqual([]);
    });

    test("where the claim fails nothing is parked", async () => {
      await under.write(message({ messageId: "bad" }));
      const away = new Error("the broker is away");
      expect(
        await rejectionOf(store.claim({ topics: ["t"], limit: 9, publish: () => Promise.reject(away) })),
      ).toBe(away);
      expect(await under.parked()).toEqual([]);
      expect((await claimAll(store, ["t"])).length).toBe(1);
    });

    test("rows of a newer version wait for a newer process and stop nothing behind them", async () => {
      const newer = Array.from({ length: 5 }, (_, n) => message({ messageId: `newer ${n}`, version: 3 }));
      await store.schedule([
        ...newer,
        message({ messageId: "old", version: 2 }),
        message({ messageId: "any" }),
      ]);
      const older = new Map([["t", 2]]);
      const claimed: string[] = [];
      const publish = async (due: readonly DueMessage[]) =>
        void claimed.push(...due.map(({ messageId }) => messageId));
      expect(await store.claim({ topics: ["t"], versions: older, limit: 2, publish })).toBe(2);
      expect(claimed).toEqual(["old", "any"]);
      expect(await store.claim({ topics: ["t"], versions: older, limit: 2, publish })).toBe(0);
      // Nothing is due for it: it may sleep.
      expect(await store.nextDueMs(["t"], older)).toBeNull();
      expect(await store.nextDueMs(["t"], new Map([["t", 3]]))).toBe(0);
      expect(await store.claim({ topics: ["t"], versions: new Map([["t", 3]]), limit: 9, publish })).toBe(5);
    });

    describe("at a fence", () => {
      const of = (messageId: string) => message({ messageId, delivery: 1 });
      const ids = (due: readonly DueMessage[]) => due.map(({ messageId }) => messageId);

      /** Three of one key, of which the first was edited and is parked. */
      async function parkFirst(): Promise<void> {
        await store.fences.raise([of("a")]);
        for (const id of ["b", "c"]) await store.fences.hold(of(id));
        await under.edit("a", "wrong");
        expect(await claimParking(["a"])).toEqual(["a"]);
      }

      /** All that comes, each passed on before the next is looked for. */
      async function through(): Promise<readonly string[]> {
        const came: string[] = [];
        for (let due = await claimAll(store, ["t"]); due.length > 0; due = await claimAll(store, ["t"])) {
          for (const { messageId, place } of due) {
            came.push(messageId);
            if (place) await store.fences.pass(place);
          }
        }
        return came;
      }

      test("those behind a parked message wait for it, and come in order when it was put right", async () => {
        await parkFirst();
        expect(ids(await claimAll(store, ["t"]))).toEqual([]);
        await under.edit("a", "right");
        expect(await through()).toEqual(["a", "b", "c"]);
        expect(await store.fences.keys("h", 10)).toEqual([]);
      });

      test("it keeps its place, so that its turn is known when it comes", async () => {
        await parkFirst();
        await under.edit("a", "right");
        const [first] = await claimAll(store, ["t"]);
        expect(await store.fences.takeTurn(first?.place as Place)).toBe("free");
      });

      test("a parked message that is cancelled lets the next one go", async () => {
        await parkFirst();
        await under.cancel("a");
        expect(await under.parked()).toEqual([]);
        expect(await through()).toEqual(["b", "c"]);
        expect(await store.fences.keys("h", 10)).toEqual([]);
      });
    });
  });
}
