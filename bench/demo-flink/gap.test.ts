import { expect, test } from "bun:test";
import { gapAround } from "./gap.ts";

test("the gap lies between the last result before the failure and the first one after it", () => {
  expect(gapAround([0, 100, 200, 5_200, 5_300], 250, 0)).toEqual({ untilFirstMs: 4_950, lengthMs: 5_000 });
});

test("results that were on their way when it failed do not end the gap", () => {
  expect(gapAround([0, 200, 300, 400, 5_400], 250, 1_000)).toEqual({ untilFirstMs: 5_150, lengthMs: 5_000 });
});

test("a pause long after the failure is another one", () => {
  expect(gapAround([0, 200, 600, 700, 9_000], 250, 100)).toEqual({ untilFirstMs: 350, lengthMs: 400 });
});

test("there is no gap to speak of when nothing came after it", () => {
  expect(gapAround([0, 200], 250, 100)).toEqual({ untilFirstMs: null, lengthMs: null });
});
