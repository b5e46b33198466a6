import { expect, test } from "bun:test";
import { Breaker } from "./breaker.ts";

const LIMIT = { window: 50, least: 20, share: 0.8, probeMs: 1_000 };

test("opens when most of the last messages failed, and only once there are enough", () => {
  const breaker = new Breaker(LIMIT);
  for (let n = 0; n < 19; n++) expect(breaker.note(`m${n}`, true, 0)).toBe(false);
  expect(breaker.open).toBe(false);
  expect(breaker.note("m19", true, 0)).toBe(true);
  expect(breaker.open).toBe(true);
  expect(breaker.note("m20", true, 0)).toBe(false);
});

test("a handler that went well for long opens it soon after it begins to fail", () => {
  const breaker = new Breaker(LIMIT);
  for (let n = 0; n < 1_000; n++) breaker.note(`good${n}`, false, 0);
  let needed = 0;
  while (!breaker.open) breaker.note(`bad${needed++}`, true, 0);
  expect(needed).toBe(40);
});

test("poison never opens it, however often the same messages come back", () => {
  const breaker = new Breaker(LIMIT);
  for (let round = 0; round < 200; round++) {
    for (let n = 0; n < 12; n++) breaker.note(`poison${n}`, true, 0);
    breaker.note(`good${round}`, false, 0);
  }
  expect(breaker.open).toBe(false);
  const few = new Breaker(LIMIT);
  for (let round = 0; round < 1_000; round++) few.note(`poison${round % 19}`, true, 0);
  expect(few.open).toBe(false);
});

test("chance at any rate of failures below its share opens it almost never, and above it soon", () => {
  let state = 3;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const opensAt = (rate: number) => {
    const breaker = new Breaker(LIMIT);
    for (let n = 0; n < 2_000 && !breaker.open; n++) breaker.note(`m${n}`, random() < rate, 0);
    return breaker.open;
  };
  expect([0.05, 0.2, 0.4].map(opensAt)).toEqual([false, false, false]);
  expect([0.9, 1].map(opensAt)).toEqual([true, true]);
});

test("tries one message when its time has come, and goes on only when that one goes well", () => {
  const breaker = new Breaker(LIMIT);
  for (let n = 0; n < 20; n++) breaker.note(`m${n}`, true, 5_000);
  expect(breaker.probeInMs(5_400)).toBe(600);
  expect(breaker.probeInMs(9_000)).toBe(0);
  breaker.probe();
  expect(breaker.probeInMs(9_000)).toBeNull();
  breaker.probed(false, 9_000);
  expect(breaker.probeInMs(9_000)).toBe(1_000);
  breaker.probe();
  breaker.probed(null, 10_000);
  expect(breaker.probeInMs(10_000)).toBe(0);
  breaker.probe();
  breaker.probed(true, 10_000);
  expect(breaker.open).toBe(false);
  expect(breaker.tally).toEqual({ failed: 0, messages: 0 });
  expect(breaker.note("m99", true, 10_000)).toBe(false);
});
