/** The harness's own statistics. */
import { expect, test } from "bun:test";
import { bootstrap, median, quantile } from "./statistics.ts";

test("the median is the middle of an odd count and the mean of the middle two of an even one", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([7])).toBe(7);
  expect(median([])).toBeNaN();
});

test("a quantile is the value that a share of the numbers lies below", () => {
  const numbers = Array.from({ length: 100 }, (_, at) => at + 1);
  expect(quantile(numbers, 0.5)).toBe(51);
  expect(quantile(numbers, 0.99)).toBe(100);
  expect(quantile([3], 0.99)).toBe(3);
});

test("the bootstrap interval of equal numbers has no width", () => {
  expect(bootstrap([2, 2, 2, 2, 2, 2, 2])).toEqual({ low: 2, median: 2, high: 2 });
});

test("the bootstrap interval encloses the median, lies within the numbers, and is the same every time", () => {
  const numbers = [0.8, 0.95, 0.7, 0.85, 0.9, 0.75, 1.2];
  const { low, median: middle, high } = bootstrap(numbers);
  expect(middle).toBe(0.85);
  expect(low).toBeGreaterThanOrEqual(0.7);
  expect(low).toBeLessThan(middle);
  expect(high).toBeGreaterThan(middle);
  expect(high).toBeLessThanOrEqual(1.2);
  expect(bootstrap(numbers)).toEqual({ low, median: middle, high });
});

test("for seven numbers the 95 % interval of the median is that of the second lowest and second highest, known exactly", () => {
  // The median of 7 draws falls on the k-th of 7 numbers with binomial odds: 2.5 % lie below the 2nd for k = 2.
  expect(bootstrap([1, 2, 3, 4, 5, 6, 7])).toEqual({ low: 2, median: 4, high: 6 });
});

test("one wild number of seven moves the median by at most one place", () => {
  expect(bootstrap([1, 1.01, 1.02, 1.03, 1.04, 1.05, 900]).median).toBe(1.03);
});
