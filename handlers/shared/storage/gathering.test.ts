import { expect, test } from "bun:test";
import { CauceError, Unavailable } from "cauce";
import { createGathering } from "./gathering.ts";

/** A gathering whose statements end when the test says so. */
function held(atOnce: number, fail: (items: readonly number[]) => Error | null = () => null) {
  const asked: { readonly items: readonly number[]; readonly end: () => void }[] = [];
  const gathering = createGathering<number, string>({
    atOnce,
    async perform(items) {
      const { promise, resolve } = Promise.withResolvers<void>();
      asked.push({ items, end: resolve });
      await promise;
      const failure = fail(items);
      if (failure) throw failure;
      return items.map((item) => `answer to ${item}`);
    },
  });
  return { gathering, asked };
}

const turn = () => new Promise(setImmediate);

test("the first go at once; those that come meanwhile go together, each with its own answer", async () => {
  const { gathering, asked } = held(2);
  const answers: Promise<string>[] = [];
  for (const n of [1, 2, 3, 4, 5]) {
    answers.push(gathering.ask(n));
    await turn();
  }
  expect(asked.map(({ items }) => items)).toEqual([[1], [2]]);
  asked[0]?.end();
  expect(await answers[0]).toBe("answer to 1");
  await turn();
  expect(asked.map(({ items }) => items)).toEqual([[1], [2], [3, 4, 5]]);
  for (const { end } of asked) end();
  expect(await Promise.all(answers)).toEqual([1, 2, 3, 4, 5].map((n) => `answer to ${n}`));
});

test("those that ask in the same moment go together from the start", async () => {
  const { gathering, asked } = held(4);
  const answers = [1, 2, 3, 4, 5].map((n) => gathering.ask(n));
  await turn();
  expect(asked.map(({ items }) => items)).toEqual([[1, 2, 3, 4, 5]]);
  asked[0]?.end();
  expect(await Promise.all(answers)).toHaveLength(5);
});

test("what is wrong with one is no other one's failure", async () => {
  const refuse = (items: readonly number[]) =>
    items.includes(3) ? new CauceError("database", "no three") : null;
  const { gathering, asked } = held(1, refuse);
  const settled = Promise.allSettled([1, 2, 3, 4].map((n) => gathering.ask(n)));
  await turn();
  for (let at = 0; at < 5; at++) {
    asked[at]?.end();
    await turn();
  }
  expect((await settled).map(({ status }) => status)).toEqual([
    "fulfilled",
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
});

test("a database that is away fails all at once, and is not asked again for each", async () => {
  const { gathering, asked } = held(1, (items) => (items.length > 1 ? new Unavailable("away") : null));
  const first = gathering.ask(1);
  await turn();
  const settled = Promise.allSettled([first, ...[2, 3, 4].map((n) => gathering.ask(n))]);
  asked[0]?.end();
  await turn();
  asked[1]?.end();
  expect((await settled).map(({ status }) => status)).toEqual([
    "fulfilled",
    "rejected",
    "rejected",
    "rejected",
  ]);
  expect(asked).toHaveLength(2);
});

test("is settled when the last answer is there", async () => {
  const { gathering, asked } = held(1);
  const answer = gathering.ask(1);
  let settled = false;
  const waiting = gathering.settled().then(() => (settled = true));
  await turn();
  expect(settled).toBe(false);
  asked[0]?.end();
  await answer;
  await waiting;
});

test("one that takes long holds up nobody but its own", async () => {
  const stuck = Promise.withResolvers<void>();
  const gathering = createGathering<number, number>({
    patienceMs: 1,
    async perform(items) {
      if (items.includes(1)) await stuck.promise;
      return items;
    },
  });
  const first = gathering.ask(1);
  await turn();
  expect(await gathering.ask(2)).toBe(2);
  expect(await gathering.ask(3)).toBe(3);
  stuck.resolve();
  expect(await first).toBe(1);
  await gathering.settled();
});

test("with a linger, those that come within it go together", async () => {
  const asked: (readonly number[])[] = [];
  const gathering = createGathering<number, number>({
    lingerMs: 1,
    async perform(items) {
      asked.push(items);
      await Promise.resolve();
      return items;
    },
  });
  const first = gathering.ask(1);
  await turnsOfMicrotasks();
  const later = [2, 3].map((n) => gathering.ask(n));
  expect(await Promise.all([first, ...later])).toEqual([1, 2, 3]);
  expect(asked).toEqual([[1, 2, 3]]);
});

async function turnsOfMicrotasks(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await Promise.resolve();
}
