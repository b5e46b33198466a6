import { expect, test } from "bun:test";
import { Frontier } from "./frontier.ts";

test("commits the lowest unfinished offset, whatever finishes first", () => {
  const frontier = new Frontier();
  const [a, b, c] = [frontier.begin(10), frontier.begin(11), frontier.begin(12)];
  frontier.finish(c);
  frontier.finish(b);
  expect(frontier.committable).toBeNull();
  frontier.finish(a);
  expect(frontier.committable).toBe(13);
});

test("steps over gaps that compaction and transactions leave", () => {
  const frontier = new Frontier();
  const a = frontier.begin(3);
  const b = frontier.begin(9);
  frontier.finish(a);
  expect(frontier.committable).toBe(4);
  frontier.finish(b);
  expect(frontier.committable).toBe(10);
});

test("has nothing to commit once the broker has acknowledged, until more is finished", () => {
  const frontier = new Frontier();
  frontier.finish(frontier.begin(0));
  frontier.committed(1);
  expect(frontier.committable).toBeNull();
  frontier.finish(frontier.begin(1));
  expect(frontier.committable).toBe(2);
});

test("never moves its local truth backwards on a late acknowledgement", () => {
  const frontier = new Frontier();
  frontier.finish(frontier.begin(0));
  frontier.finish(frontier.begin(1));
  frontier.committed(2);
  frontier.committed(1);
  expect(frontier.committable).toBeNull();
});

test("refuses an offset that does not grow", () => {
  const frontier = new Frontier();
  frontier.begin(5);
  expect(() => frontier.begin(5)).toThrow(RangeError);
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
      expect(frontier.committable ?? 0).toBe(lowest);
    }
    expect(frontier.open).toBe(0);
  }
});
