import { expect, test } from "bun:test";
import { distributionOf, kneeOf, quantilesOf, stepsOf, stretchesOf, type AnsweredAsk } from "./series.ts";

const ask = (intendedMs: number, latencyMs: number, hit = false): AnsweredAsk => ({
  intendedMs,
  latencyMs,
  hit,
});
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

test("percentiles are latencies that were measured, and no share is told that so few asks cannot tell", () => {
  expect(quantilesOf(upTo(1_000))).toEqual({ p50: 500, p95: 950, p99: 990 });
  expect(quantilesOf([])).toBeUndefined();
  const shares = distributionOf(upTo(100)).map(([share]) => share);
  expect(shares).toContain(0.99);
  expect(shares).not.toContain(0.999);
  expect(distributionOf(upTo(100)).at(-1)).toEqual([1, 100]);
});

test("stretches hold asks by intended time, gaps too, and there are at most 240", () => {
  const stretches = stretchesOf([ask(100, 5, true), ask(900, 15), ask(2_500, 7)]);
  expect(stretches.map(({ answered, hits }) => [answered, hits])).toEqual([
    [2, 1],
    [0, 0],
    [1, 0],
  ]);
  expect(stretches[1]?.latencyMs).toBeUndefined();
  expect(stretchesOf(upTo(5_000).map((second) => ask(second * 1_000, 1))).length).toBeLessThanOrEqual(241);
});

test("the knee is the last step before latency leaves the first step's range, or answers stay away", () => {
  const steps = [10, 20, 30, 40].map((ratePerSecond) => ({ ratePerSecond, forMs: 1_000 }));
  const times = [100, 1_100, 2_100, 3_100];
  const slow = stepsOf(steps, times, [ask(100, 50), ask(1_100, 240), ask(2_100, 400), ask(3_100, 60)]);
  expect(slow.map(({ keptUp }) => keptUp)).toEqual([true, true, false, true]);
  expect(kneeOf(slow)).toBe(20);
  const median = stepsOf(
    steps,
    [...times, 1_200],
    [ask(100, 50), ask(110, 400), ask(1_100, 260), ask(1_200, 400)],
  );
  expect(median.map(({ keptUp }) => keptUp).slice(0, 2)).toEqual([true, false]);
  const lost = stepsOf(steps, times, [ask(100, 50), ask(2_100, 50), ask(3_100, 50)]);
  expect(kneeOf(lost)).toBe(10);
  expect(kneeOf(stepsOf(steps, times, []))).toBeUndefined();
  const all = stepsOf(
    steps,
    times,
    times.map((time) => ask(time, 50)),
  );
  expect(kneeOf(all)).toBe(40);
});
