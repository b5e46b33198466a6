import { expect, test } from "bun:test";
import { checkDeadlines } from "./deadlines.ts";

const right = { publishDeadlineMs: 20_000, messageTimeoutMs: 40_000, idleInTransactionMs: 60_000 };

test("the three deadlines in their order are accepted", () => {
  expect(() => checkDeadlines(right)).not.toThrow();
});

test.each([
  [
    { ...right, publishDeadlineMs: 40_000 },
    "publish deadline (40000 ms) must be less than message.timeout.ms",
  ],
  [{ ...right, messageTimeoutMs: 300_000 }, "message.timeout.ms (300000) must be less than"],
  [{ ...right, messageTimeoutMs: Number.NaN }, "message.timeout.ms"],
  [{ ...right, publishDeadlineMs: 0 }, "more than 0 ms"],
])("a wrong order is refused, naming both: %p", (deadlines, words) => {
  expect(() => checkDeadlines(deadlines)).toThrow(words);
});
