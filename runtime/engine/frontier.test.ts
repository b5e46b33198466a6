import { expect, test } from "bun:test";
import { Frontier } from "./frontier.ts";

test("commits the lowest unfinished offset, whatever finishes first", () => {
  const frontier = new Frontier();
  const [a, b, c] = [frontier.begin(10), frontier.begin(11), frontier.begin(12)];
  expect(frontier.progress).toBeNull();
  frontier.finish(c);
  expect(frontier.progress).toMatchObject({ offset: 10, above: [{ from: 12, to: 13 }] });
  frontier.finish(b);
  expect(frontier.progress).toMatchObject({ offset: 10, above: [{ from: 11, to: 13 }] });
  frontier.finish(a);
  expect(frontier.progress).toMatchObject({ offset: 13, above: [] });
});

test("steps over gaps that compaction and transactions leave", () => {
  const frontier = new Frontier();
  const a = frontier.begin(3);
  const b = frontier.begin(9);
  frontier.finish(a);
  expect(frontier.progress?.offset).toBe(4);
  frontier.finish(b);
  expect(frontier.progress?.offset).toBe(10);
});

test("has nothing to commit once the broker has acknowledged, until more is finished", () => {
  const frontier = new Frontier();
  frontier.finish(frontier.begin(0));
  frontier.committed({ revision: frontier.progress?.revision ?? 0 });
  expect(frontier.moved).toBe(false);
  expect(frontier.progress).toBeNull();
  frontier.begin(1);
  frontier.finish(frontier.begin(2));
  expect(frontier.progress).toMatchObject({ offset: 1, above: [{ from: 2, to: 3 }] });
});

test("never moves its local truth backwards on a late acknowledgement", () => {
  const frontier = new Frontier();
  frontier.finish(frontier.begin(0));
  const early = frontier.progress;
  frontier.finish(frontier.begin(1));
  frontier.committed({ revision: frontier.progress?.revision ?? 0 });
  frontier.committed({ revision: early?.revision ?? 0 });
  expect(frontier.moved).toBe(false);
});

test("knows what an earlier owner had finished, and tells it on until it is below the commit", () => {
  const frontier = new Frontier([
    { from: 6, to: 8 },
    { from: 9, to: 12 },
  ]);
  const slow = frontier.begin(5);
  expect(frontier.wasFinished(5)).toBe(false);
  frontier.finish(frontier.begin(6));
  expect([6, 7].map((offset) => frontier.wasFinished(offset))).toEqual([true, true]);
  expect(frontier.progress).toMatchObject({
    offset: 5,
    above: [
      { from: 6, to: 8 },
      { from: 9, to: 12 },
    ],
  });
  frontier.finish(slow);
  expect(frontier.progress).toMatchObject({ offset: 7, above: [{ from: 7, to: 8 }, { from: 9, to: 12 }] }); // prettier-ignore
  expect([8, 9, 11, 12].map((offset) => frontier.wasFinished(offset))).toEqual([false, true, true, false]);
});

test("refuses an offset that does not grow", () => {
  const frontier = new Frontier();
  const ticket = frontier.begin(5);
  expect(() => frontier.begin(5)).toThrow(RangeError);
  frontier.finish(ticket);
  expect(() => frontier.begin(4)).toThrow(RangeError);
  expect([4, 5, 6].map((offset) => frontier.taken(offset))).toEqual([true, true, false]);
});

test("agrees with a plain model over random finishing orders", () => {
  for (let seed = 1; seed <= 50; seed++) {
    let state = seed;
    const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
    const frontier = new Frontier();
    const tickets = Array.from({ length: 3_000 }, (_, offset) => frontier.begin(offset));
    const finished = new Set<number>();
    const order = tickets
      .map((ticket) => ({ ticket, at: ticket.offset + random() * 200 }))
      .toSorted((x, y) => x.at - y.at);
    let lowest = 0;
    for (const { ticket } of order) {
      frontier.finish(ticket);
      finished.add(ticket.offset);
      while (finished.has(lowest)) lowest++;
      if (finished.size % 100 !== 0) continue;
      const progress = frontier.progress;
      expect(progress?.offset).toBe(lowest);
      const above = progress?.above.flatMap(({ from, to }) =>
        Array.from({ length: to - from }, (_, at) => from + at),
      );
      const wanted = [...finished].filter((offset) => offset > lowest).toSorted((x, y) => x - y);
      expect(above).toEqual(wanted);
    }
    expect(frontier.progress).toMatchObject({ offset: 3_000, above: [] });
    expect(frontier.open).toBe(0);
  }
});
