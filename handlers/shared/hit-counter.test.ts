import { expect, test } from "bun:test";
import { createHitCounter } from "./hit-counter.ts";
import type { QuestionStep } from "./storage/steps.ts";

function counter() {
  const told: QuestionStep[] = [];
  let pass = () => {};
  const clock = {
    nowMs: () => 7,
    after(_delayMs: number, call: () => void) {
      pass = call;
      return () => {};
    },
  };
  const hits = createHitCounter({ note: (steps) => void told.push(...steps), clock });
  return { hits, told, pass: () => pass() };
}

const hit = (id: string, from: "db" | "cache" = "db") => ({ id, round: 1, from, score: 8 });

test("the first hit is told at once, those that follow together with their number, and then the next one again", () => {
  const { hits, told, pass } = counter();
  for (let n = 0; n < 5; n++) hits.count(hit("a"));
  hits.count(hit("b", "cache"));
  expect(told.map(({ id, detail }) => [id, detail])).toEqual([
    ["a", { from: "db", score: 8 }],
    ["b", { from: "cache", score: 8 }],
  ]);
  pass();
  expect(told.slice(2).map(({ id, detail }) => [id, detail["times"]])).toEqual([["a", 4]]);
  hits.count(hit("a"));
  expect(told).toHaveLength(4);
});

test("what was not told is told at the end, and the sum is the number of hits", () => {
  const { hits, told } = counter();
  for (let n = 0; n < 1_000; n++) hits.count(hit(String(n % 7), n % 2 === 0 ? "db" : "cache"));
  hits.close();
  expect(told.reduce((sum, { detail }) => sum + Number(detail["times"] ?? 1), 0)).toBe(1_000);
});
