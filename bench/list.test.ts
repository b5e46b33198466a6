/** The list of benchmarks. */
import { expect, test } from "bun:test";
import { MEASUREMENTS } from "./list.ts";

const benchmarks = MEASUREMENTS.flatMap((measurement) => measurement.benchmarks);

/** What must be reached and what is aimed at: by the row's first words, per kind of benchmark. */
const LIMITS: Readonly<Record<string, readonly string[]>> = {
  "binding's consume → produce": ["at least 0.7, aim 0.85", "at least 0.75, aim 0.95"],
  "whole runtime, JSON + validation": ["at least 0.85, aim 0.97"],
  "the JSON hop vs the better of the two peers": ["at least 2, aim 4"],
  "4 hops p50/p99 at 200 msg/s vs the C chain": ["at most 1.5, aim 1.1", "at most 2, aim 1.2"],
  "256 slow handlers (50 ms) in flight": ["at least 0.9, aim 0.98"],
  "growth of RSS for 100,000 messages waiting": ["at most 2, aim 1.25"],
  "longest gap on unmoved partitions while a member joins and leaves": ["at most 3, aim 1.2"],
  "exactly-once vs own at-least-once": ["at least 0.85, aim 0.97"],
  "import + start to first message": ["at most 250, aim 80"],
  "door: acked requests and hits vs bare": ["at least 0.8, aim 0.95", "at most 1.3, aim 1"],
  "door: p99 beside 5,000 slow connections vs without": ["at most 2, aim 1.2"],
  "delayed/retry scheduler: lateness": ["at most 3, aim 1.5"],
  "delayed/retry scheduler: drain": ["at least 0.6, aim 0.85"],
  "delayed/retry scheduler: 10M waiting": ["at least 0.9, aim 1"],
  "delayed/retry scheduler: peers": ["at least 1, aim 3"],
  "delayed/retry scheduler: beside a storm": ["at most 2, aim 1.2"],
  "delayed/retry scheduler: scheduling in bulk": ["at least 20000, aim 30000"],
  "delayed/retry scheduler: recovery": ["at least 0.98, aim 1"],
};

test("every benchmark has the limits of its row", () => {
  const found = Map.groupBy(benchmarks, ({ row }) => row);
  const limits = [...found].map(([row, all]) => [
    row,
    [
      ...new Set(
        all.map(
          ({ better, must, aim }) => `at ${better === "higher" ? "least" : "most"} ${must}, aim ${aim}`,
        ),
      ),
    ],
  ]);
  expect(Object.fromEntries(limits)).toEqual(LIMITS);
});

test("names are unique and fit the command line", () => {
  const names = benchmarks.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z0-9-]+$/);
});
