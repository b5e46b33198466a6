/** How a benchmark is judged. */
import { expect, test } from "bun:test";
import { judge, type Limits, type Pair } from "./verdict.ts";

const AT_LEAST: Limits = { reference: "C / ours", unit: "ratio", better: "higher", must: 0.7, aim: 0.85 };
const AT_MOST: Limits = { ...AT_LEAST, better: "lower", must: 1.5, aim: 1.1 };
const pairsOf = (...values: readonly number[]): Pair[] => values.map((value) => ({ value, faults: 0 }));

test("the line names the median, the interval, the limits and whether it passed", () => {
  expect(judge("x", AT_LEAST, pairsOf(0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8))).toEqual({
    name: "x",
    value: 0.8,
    low: 0.8,
    high: 0.8,
    unit: "ratio",
    reference: "C / ours",
    must: 0.7,
    aim: 0.85,
    pass: true,
    pairs: 7,
    faults: 0,
  });
});

test("what must be high is judged at the low end of its interval", () => {
  const pairs = pairsOf(0.6, 0.65, 0.8, 0.8, 0.8, 0.9, 0.9);
  expect(judge("x", AT_LEAST, pairs)).toMatchObject({ value: 0.8, low: 0.65, pass: false });
});

test("what must be low is judged at the high end of its interval", () => {
  const pairs = pairsOf(1.1, 1.1, 1.2, 1.2, 1.2, 1.6, 1.7);
  expect(judge("x", AT_MOST, pairs)).toMatchObject({ value: 1.2, high: 1.6, pass: false });
  expect(judge("x", AT_MOST, pairsOf(1, 1, 1.2, 1.2, 1.2, 1.3, 1.7))).toMatchObject({
    high: 1.3,
    pass: true,
  });
});

test("one lost message of one run makes the whole benchmark score 0", () => {
  const pairs = [...pairsOf(0.9, 0.9, 0.9, 0.9, 0.9, 0.9), { value: 0.9, faults: 1 }];
  expect(judge("x", AT_LEAST, pairs)).toMatchObject({ value: 0, low: 0, high: 0, faults: 1, pass: false });
  expect(judge("x", AT_MOST, pairs)).toMatchObject({ value: 0, faults: 1, pass: false });
});

test("fewer than seven pairs, none at all, or a number that is none never pass", () => {
  expect(judge("x", AT_LEAST, pairsOf(1, 1, 1, 1, 1, 1)).pass).toBe(false);
  expect(judge("x", AT_MOST, [])).toMatchObject({ value: 0, pass: false });
  expect(judge("x", AT_MOST, pairsOf(1, 1, 1, 1, 1, 1, Number.NaN))).toMatchObject({ value: 0, pass: false });
});

test("a quick run says so and never passes", () => {
  const line = judge("x", AT_LEAST, pairsOf(1, 1, 1, 1, 1, 1, 1), { quick: true });
  expect(line).toMatchObject({ value: 1, quick: true, pass: false });
});
