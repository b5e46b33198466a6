/**
 * What fences must do, in every form of the store.
 *
 * In: a way to make a store, as for `storeContract`. Out: tests.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Place } from "../../runtime/store/fences.ts";
import type { DueMessage, ScheduledMessage, Store } from "../../runtime/store/store.ts";
import { claimAll, type StoreUnderTest } from "./contract.ts";
import { bytes, message } from "./messages.ts";

export function fenceContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} keeps the contract of fences:`, () => {
    let under: StoreUnderTest;
    let store: Store;
    beforeEach(async () => {
      under = await make();
      store = under.store;
    });
    afterEach(() => store.close());

    test("a message that waits fences its key, and comes back with its place", async () => {
      expect(await store.fences.raise([of("a", "k1"), of("b", "k2")])).toEqual(["raised", "raised"]);
      expect((await keysOf("h")).toSorted()).toEqual(["k1", "k2"]);
      expect(await keysOf("other")).toEqual([]);
      const due = await claimAll(store, ["t"]);
      expect(due.map(({ messageId, place }) => [messageId, place?.turn])).toEqual([
        ["a", 1],
        ["b", 1],
      ]);
      for (const { place } of due) expect(await store.fences.takeTurn(placeOf({ place }))).toBe("free");
    });

    test("it is not published before it is due", async () => {
      await store.fences.raise([{ ...of("a"), delayMs: 300 }]);
      expect(await claimAll(store, ["t"])).toEqual([]);
      await under.pass(310);
      expect((await claimAll(store, ["t"])).length).toBe(1);
    });

    test("where no fence stands nothing is held", async () => {
      expect(await store.fences.hold(of("a"))).toBe("free");
      await store.fences.raise([of("b")]);
      expect(await store.fences.hold(of("c", "other"))).toBe("free");
      expect(await store.fences.hold({ ...of("c"), handler: "other" })).toBe("free");
    });

    test("later messages wait until the one before is through, then come in order", async () => {
      await store.fences.raise([of("a")]);
      for (const id of ["b", "c", "d"]) expect(await store.fences.hold(of(id))).toBe("held");
      const [a] = await claimAll(store, ["t"]);
      expect(await claimAll(store, ["t"])).toEqual([]);
      await store.fences.pass(placeOf(a));
      const behind = await claimAll(store, ["t"]);
      expect(behind.map(({ messageId, place }) => [messageId, place?.turn])).toEqual([
        ["b", 2],
        ["c", 3],
        ["d", 4],
      ]);
      expect(behind.map(({ record }) => record.value)).toEqual(
        ["b", "c", "d"].map((id) => of(id).record.value),
      );
    });

    test("a held message keeps the version of its schema: its turn waits for a process that knows it", async () => {
      await store.fences.raise([{ ...of("a"), version: 2 }]);
      expect(await store.fences.hold({ ...of("b"), version: 3 })).toBe("held");
      const upTo = (version: number) => claimAll(store, ["t"], new Map([["t", version]]));
      expect(await upTo(1)).toEqual([]);
      const [a] = await upTo(2);
      expect(a?.messageId).toBe("a");
      await store.fences.pass(placeOf(a));
      expect(await upTo(2)).toEqual([]);
      expect((await upTo(3)).map(({ messageId }) => messageId)).toEqual(["b"]);
    });

    test("the fence falls when the last one is through", async () => {
      await store.fences.raise([of("a")]);
      await store.fences.hold(of("b"));
      for (const id of ["a", "b"]) {
        const [due] = await claimAll(store, ["t"]);
        expect(due?.messageId).toBe(id);
        expect(await keysOf("h")).toEqual(["k"]);
        await store.fences.pass(placeOf(due));
      }
      expect(await keysOf("h")).toEqual([]);
      expect(await store.fences.hold(of("c"))).toBe("free");
    });

    test("a message whose turn has not come is kept, and comes again when it has", async () => {
      const [b, c] = await releasedBehindA();
      // b fails: it waits again, and c, already on its way, must not overtake it.
      expect(await store.fences.takeTurn(placeOf(b))).toBe("free");
      await store.schedule([{ ...of("b"), delivery: 2, place: placeOf(b) }]);
      expect(await store.fences.takeTurn(placeOf(c))).toBe("held");
      const [again] = await claimAll(store, ["t"]);
      expect([again?.messageId, again?.place?.turn]).toEqual(["b", 2]);
      expect(await claimAll(store, ["t"])).toEqual([]);
      await store.fences.pass(placeOf(again));
      const [third] = await claimAll(store, ["t"]);
      expect(third?.messageId).toBe("c");
      expect(await store.fences.takeTurn(placeOf(third))).toBe("free");
    });

    test("one that was already let go meanwhile runs at once", async () => {
      const [b, c] = await releasedBehindA();
      await store.fences.pass(placeOf(b));
      expect(await store.fences.takeTurn(placeOf(c))).toBe("free");
    });

    test("repeats are known: of a held one, of the first, of one that is through", async () => {
      await store.fences.raise([of("a")]);
      await store.fences.hold(of("b"));
      expect(await store.fences.hold(of("b"))).toBe("known");
      expect(await store.fences.hold(of("a"))).toBe("known");
      expect(await store.fences.raise([of("a")])).toEqual(["known"]);
      const [a] = await claimAll(store, ["t"]);
      await store.fences.pass(placeOf(a));
      expect(await store.fences.takeTurn(placeOf(a))).toBe("known");
      expect(await store.fences.hold(of("a"))).toBe("known");
    });

    test("a repeat after the fence fell raises no new one", async () => {
      await store.fences.raise([of("a")]);
      const [a] = await claimAll(store, ["t"]);
      await store.fences.pass(placeOf(a));
      expect(await store.fences.raise([of("a")])).toEqual(["known"]);
      expect(await keysOf("h")).toEqual([]);
      expect(await claimAll(store, ["t"])).toEqual([]);
    });

    test("a message that comes back when its fence is gone is told so", async () => {
      await store.fences.raise([of("a")]);
      const [a] = await claimAll(store, ["t"]);
      await store.fences.pass(placeOf(a));
      expect(await store.fences.takeTurn(placeOf(a))).toBe("gone");
    });

    test("passing twice moves once", async () => {
      await store.fences.raise([of("a")]);
      for (const id of ["b", "c"]) await store.fences.hold(of(id));
      const [a] = await claimAll(store, ["t"]);
      await store.fences.pass(placeOf(a));
      await store.fences.pass(placeOf(a));
      const [b, c] = await claimAll(store, ["t"]);
      expect(await store.fences.takeTurn(placeOf(b))).toBe("free");
      expect(await store.fences.takeTurn(placeOf(c))).toBe("held");
    });

    test("a second one that fails stands behind the fence of its key", async () => {
      expect(await store.fences.raise([of("a"), of("b")])).toEqual(["raised", "held"]);
    });

    test("cancelling the one that waits lets the next one go", async () => {
      await store.fences.raise([{ ...of("a"), delayMs: 3_600_000 }]);
      await store.fences.hold(of("b"));
      await under.cancel("a");
      const [b] = await claimAll(store, ["t"]);
      expect(b?.messageId).toBe("b");
      expect(await store.fences.takeTurn(placeOf(b))).toBe("free");
      await store.fences.pass(placeOf(b));
      expect(await keysOf("h")).toEqual([]);
    });

    test("more than a hundred that wait come in portions, in order", async () => {
      await store.fences.raise([of("first")]);
      const ids = Array.from({ length: 250 }, (_, at) => `m${at}`);
      for (const id of ids) await store.fences.hold(of(id));
      const came: string[] = [];
      let onTheirWay = 0;
      let most = 0;
      for (let due = await claimAll(store, ["t"]); due.length > 0; due = await claimAll(store, ["t"])) {
        onTheirWay += due.length;
        most = Math.max(most, onTheirWay);
        for (const one of due) {
          expect(await store.fences.takeTurn(placeOf(one))).toBe("free");
          came.push(one.messageId);
          await store.fences.pass(placeOf(one));
          onTheirWay--;
        }
      }
      expect(came).toEqual(["first", ...ids]);
      expect(most).toBeLessThanOrEqual(100);
      expect(await keysOf("h")).toEqual([]);
    });

    test("too many fenced keys are answered with null", async () => {
      await store.fences.raise([of("a", "k1"), of("b", "k2")]);
      expect(await store.fences.keys("h", 1)).toBeNull();
      expect((await store.fences.keys("h", 2))?.length).toBe(2);
    });

    test("a new fence is told to whoever asked", async () => {
      const heard = Promise.withResolvers<void>();
      const armed = Promise.withResolvers<void>();
      let calls = 0;
      // The first call may come from the start of listening.
      const end = store.fences.onRaised("h", () => (calls++ === 0 ? armed.resolve() : heard.resolve()));
      await store.fences.raise([of("a")]);
      await armed.promise;
      await store.fences.raise([of("b", "k2")]);
      await heard.promise;
      end();
    });

    test("keys of any length and bytes are told apart", async () => {
      const long = "x".repeat(10_000);
      expect(await store.fences.raise([of("a", `${long}1`), of("b", `${long}2`), of("c", "\0")])).toEqual([
        "raised",
        "raised",
        "raised",
      ]);
    });

    async function releasedBehindA(): Promise<readonly [DueMessage | undefined, DueMessage | undefined]> {
      await store.fences.raise([of("a")]);
      for (const id of ["b", "c"]) await store.fences.hold(of(id));
      const [a] = await claimAll(store, ["t"]);
      await store.fences.pass(placeOf(a));
      const [b, c] = await claimAll(store, ["t"]);
      return [b, c];
    }

    async function keysOf(handler: string): Promise<readonly string[]> {
      return ((await store.fences.keys(handler, 100)) ?? []).map((key) => Buffer.from(key).toString());
    }
  });
}

function of(messageId: string, key = "k"): ScheduledMessage {
  const record = { topic: "t", key: bytes(key), value: bytes(messageId), headers: [] };
  return message({ messageId, delivery: 1, record });
}

function placeOf(due: { readonly place?: Place | undefined } | undefined): Place {
  if (due?.place === undefined) throw new Error("it came without a place");
  return due.place;
}
