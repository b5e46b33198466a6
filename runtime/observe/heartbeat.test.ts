import { expect, test } from "bun:test";
import { startHeartbeat } from "./heartbeat.ts";

/** Time that moves by hand; a blocked loop fires its timer late. */
function givenHeart() {
  let nowMs = 1_000;
  let next: (() => void) | null = null;
  const heart = startHeartbeat({
    everyMs: 500,
    clock: {
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      after(_delayMs, call) {
        next = call;
        return () => {
          next = null;
        };
      },
    },
  });
  return {
    heart,
    beating: () => next !== null,
    pass: (ms: number) => {
      nowMs += ms;
    },
    fire: () => next?.(),
  };
}

test("a loop that turns has no lag", () => {
  const { heart, pass, fire } = givenHeart();
  pass(500);
  fire();
  pass(200);
  expect([heart.ageMs(), heart.lagMs()]).toEqual([200, 0]);
});

test("a blocked loop grows old, and its lag is told after it turns again", () => {
  const { heart, pass, fire } = givenHeart();
  pass(3_500);
  expect(heart.ageMs()).toBe(3_500);
  fire();
  expect([heart.ageMs(), heart.lagMs()]).toEqual([0, 3_000]);
  pass(500);
  fire();
  expect(heart.lagMs()).toBe(0);
  expect(heart.worstLagMs()).toBe(3_000);
  expect(heart.worstLagMs()).toBe(0);
});

test("stops", () => {
  const { heart, beating } = givenHeart();
  expect(beating()).toBe(true);
  heart.stop();
  expect(beating()).toBe(false);
});
