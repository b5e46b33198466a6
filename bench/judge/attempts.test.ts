import { expect, test } from "bun:test";
import { deliveredRight, outcomesOf, type Attempt } from "./attempts.ts";

const wrong: Attempt = { right: false, score: 3, gate_passed: false };
const flattering: Attempt = { right: false, score: 6, gate_passed: false };
const good: Attempt = { right: true, score: 9, gate_passed: true };
const underrated: Attempt = { right: true, score: 4, gate_passed: false };
const rule = { threshold: 6, gate: true };

test("the first answer that passes is delivered, and what was thrown away before is told apart", () => {
  expect(outcomesOf([[wrong, good], [underrated, good, good], [good]], rule)).toEqual({
    questions: 3,
    firstRight: 2,
    acceptedRight: 3,
    acceptedWrong: 0,
    belowRight: 0,
    belowWrong: 0,
    generations: 5,
    forNothing: 1,
    forCause: 1,
  });
});

test("without the gate a wrong answer that is perfect in all else is accepted at 6", () => {
  expect(outcomesOf([[flattering, good]], { ...rule, gate: false })).toMatchObject({
    acceptedWrong: 1,
    acceptedRight: 0,
  });
  expect(outcomesOf([[flattering, good]], rule)).toMatchObject({ acceptedWrong: 0, acceptedRight: 1 });
});

test("when no answer passes the best one is delivered, and the last is not thrown away for nothing", () => {
  const result = outcomesOf([[wrong, underrated]], rule);
  expect(result).toMatchObject({ belowRight: 1, belowWrong: 0, generations: 2, forNothing: 0, forCause: 1 });
  expect(deliveredRight(result)).toBe(1);
  expect(outcomesOf([[underrated, flattering]], rule)).toMatchObject({ belowWrong: 1, forNothing: 1 });
});
