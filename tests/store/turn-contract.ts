/**
 * What turns must do, in every form of the store.
 *
 * In: a way to make a store, as for `storeContract`. Out: tests. A real clock goes on between two calls: what is compared
 * allows for that, one way.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Store } from "../../runtime/store/store.ts";
import type { BudgetLimits, TurnAnswer, TurnsAsked, TurnWanted } from "../../runtime/store/turns.ts";
import type { StoreUnderTest } from "./contract.ts";

/** Ten a second. */
const PER_MINUTE = 600;
const GAP_MS = 100;

export function turnContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} keeps the contract of turns:`, () => {
    let under: StoreUnderTest;
    let store: Store;
    beforeEach(async () => {
      under = await make();
      store = under.store;
    });
    afterEach(() => store.close());

    /** Tells how long ago it was made: by so much less than expected one may have to wait, however busy the machine. */
    const stopwatch = () => {
      const startMs = performance.now();
      return () => performance.now() - startMs + 1;
    };

    /** One process that asks. */
    const process = (limits: BudgetLimits, of: { budget?: string; process?: string } = {}) => {
      const { budget = "b", process: called = crypto.randomUUID() } = of;
      let running = 0;
      const ask = async (
        wanted: number | readonly (Partial<TurnWanted> | null)[],
        news: Partial<TurnsAsked> = {},
      ): Promise<readonly TurnAnswer[]> => {
        const wishes = typeof wanted === "number" ? Array.from({ length: wanted }, () => null) : wanted;
        const answers = await store.turns.take({
          budget,
          process: called,
          limits,
          running,
          requests: 0,
          tokens: 0,
          refused: false,
          pauseMs: 0,
          turnMs: 0,
          ...news,
          wanted: wishes.map((wish) => ({ ticket: null, tokens: 0, ...wish })),
        });
        running += answers.filter(({ granted }) => granted).length;
        return answers;
      };
      return { ask, end: (turns: number) => (running -= turns) };
    };
    const granted = (answers: readonly TurnAnswer[]) => answers.filter((answer) => answer.granted);
    const waits = (answers: readonly TurnAnswer[]) => answers.map(({ waitMs }) => waitMs);

    test("turns are granted evenly spaced, a second ahead at most; the rest stand in line with the time it will take", async () => {
      const answers = await process({ perMinute: PER_MINUTE }).ask(100);
      const now = granted(answers);
      // A quarter of a second of unused turns, then one each 100 ms for a second.
      expect(now.length).toBeWithin(11, 15);
      expect(Math.max(...waits(now))).toBeLessThanOrEqual(1_000);
      const later = answers.filter((answer) => !answer.granted);
      expect(later.map(({ ticket }) => ticket)).toEqual(later.map((_, at) => at + 1));
      for (const [at, { waitMs }] of later.entries())
        expect(Math.abs(waitMs - (waits(now).at(-1) ?? 0) - (at + 1) * GAP_MS)).toBeLessThan(1);
    });

    test("two processes share a budget, and another budget is another one", async () => {
      const first = granted(await process({ perMinute: PER_MINUTE }).ask(100)).length;
      const second = granted(await process({ perMinute: PER_MINUTE }).ask(100)).length;
      expect(second).toBeLessThanOrEqual(3);
      expect(granted(await process({ perMinute: PER_MINUTE }, { budget: "c" }).ask(100)).length).toBeWithin(
        first - 1,
        first + 2,
      );
    });

    test("a place in line has its turn when those before it had theirs, whatever the order of asking", async () => {
      const asking = process({ perMinute: PER_MINUTE });
      const answers = await asking.ask(30);
      const tickets = answers.flatMap(({ ticket }) => (ticket === null ? [] : [{ ticket }]));
      await under.pass(1_000);
      const again = await asking.ask([...tickets.toReversed(), null]);
      const through = again.flatMap(({ ticket, granted: now }) => (now && ticket !== null ? [ticket] : []));
      expect(through.toSorted((a, b) => a - b)).toEqual(through.map((_, at) => at + 1));
      expect(through.length).toBeGreaterThanOrEqual(9);
      // Whoever comes now stands behind all of them.
      expect(again.at(-1)).toMatchObject({ granted: false, ticket: tickets.length + 1 });
    });

    test("a turn is not kept for a place in line that never comes back", async () => {
      const asking = process({ perMinute: PER_MINUTE });
      await asking.ask(200);
      await under.pass(1_300);
      expect(await asking.ask(1)).toMatchObject([{ granted: true }]);
    });

    test("turns at the same time are counted over all processes, and are free again when they end", async () => {
      const limits = { inFlight: 3 };
      const first = process(limits);
      const second = process(limits);
      expect(granted(await first.ask(2))).toHaveLength(2);
      const answers = await second.ask(2);
      expect(answers.map((answer) => answer.granted)).toEqual([true, false]);
      const ticket = answers[1]?.ticket ?? null;
      expect(await second.ask([{ ticket }])).toMatchObject([{ granted: false, ticket }]);
      first.end(1);
      await first.ask(0);
      expect(await second.ask([{ ticket }])).toMatchObject([{ granted: true }]);
    });

    test("tokens are paid off at their pace: what was used beyond keeps the next one waiting", async () => {
      const asking = process({ tokensPerMinute: 60_000 });
      const passedMs = stopwatch();
      expect(await asking.ask([{ tokens: 500 }])).toMatchObject([{ granted: true, waitMs: 0 }]);
      const [second] = await asking.ask([{ tokens: 500 }]);
      expect(second?.waitMs).toBeWithin(500 - passedMs(), 501);
      const [third] = await asking.ask([{ tokens: 0 }], { tokens: 3_000 });
      expect(third).toMatchObject({ granted: false });
      expect(third?.waitMs).toBeWithin(4_000 - passedMs(), 4_001);
    });

    test("requests that a turn used beyond its own keep the next one waiting", async () => {
      const asking = process({ perMinute: PER_MINUTE });
      await asking.ask(20);
      const passedMs = stopwatch();
      const before = (await asking.ask(1))[0]?.waitMs ?? 0;
      const after = (await asking.ask(1, { requests: 5 }))[0]?.waitMs ?? 0;
      expect(after - before).toBeWithin(5 * GAP_MS - passedMs(), 6 * GAP_MS + 1);
    });

    test("a refusal lowers the pace for everybody, once for many at the same time, and it rises again by itself", async () => {
      const one = process({ perMinute: PER_MINUTE });
      const other = process({ perMinute: PER_MINUTE });
      const first = granted(await one.ask(100)).length;
      await one.ask(0, { refused: true });
      await other.ask(0, { refused: true });
      const gapOf = async () => {
        const [a, b] = waits((await other.ask(2)).filter((answer) => !answer.granted));
        return (b ?? 0) - (a ?? 0);
      };
      // Four fifths of what went through, which is what was granted in this second.
      const slowed = await gapOf();
      expect(slowed).toBeCloseTo(60_000 / (0.8 * Math.min(PER_MINUTE, first * 60)), 0);
      await under.pass(2_000);
      expect(await gapOf()).toBeLessThan(slowed - 1);
    });

    test("nobody has a turn while the other side wants peace", async () => {
      const asking = process({ perMinute: PER_MINUTE });
      const passedMs = stopwatch();
      await asking.ask(0, { refused: true, pauseMs: 5_000 });
      const [answer] = await process({ perMinute: PER_MINUTE }).ask(1);
      expect(answer).toMatchObject({ granted: false });
      expect(answer?.waitMs).toBeWithin(5_000 - passedMs(), 5_001);
    });

    test("without a declared pace nothing waits, until a refusal tells what went through", async () => {
      const asking = process({ inFlight: 10_000 });
      expect(Math.max(...waits(await asking.ask(1_000)))).toBe(0);
      await asking.ask(0, { refused: true });
      expect(granted(await asking.ask(3_000)).length).toBeWithin(1, 1_100);
    });
  });
}
