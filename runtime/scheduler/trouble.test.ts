import { expect, test } from "bun:test";
import { backoffMs, trackTrouble } from "./trouble.ts";

test("a topic that failed is tried alone, later and later, and joins the others when it went well", () => {
  const trouble = trackTrouble(["a", "b"], () => 1);
  trouble.failed(["b"], 0);
  expect(trouble.sound).toEqual(["a"]);
  expect(trouble.ripe(0)).toEqual([]);
  expect(trouble.ripeInMs(40)).toBe(60);
  expect(trouble.ripe(100)).toEqual(["b"]);
  trouble.failed(["b"], 100);
  expect(trouble.ripeInMs(100)).toBe(200);
  trouble.recovered("b");
  expect(trouble.sound).toEqual(["a", "b"]);
  expect(trouble.ripeInMs(100)).toBeNull();
});

test("pauses double from 100 ms to 5 s, with chance in their upper half", () => {
  expect([1, 2, 3, 7, 1_000].map((tries) => backoffMs(tries, () => 1))).toEqual([
    100, 200, 400, 5_000, 5_000,
  ]);
  expect(backoffMs(1, () => 0)).toBe(50);
});
