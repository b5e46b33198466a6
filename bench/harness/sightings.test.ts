/** What members saw. */
import { expect, test } from "bun:test";
import { Sightings } from "./sightings.ts";

function seen(...lines: readonly (readonly [by: string, line: string])[]): Sightings {
  const sightings = new Sightings();
  for (const [by, line] of lines) sightings.add(by, line);
  return sightings;
}

const sent = (count: number) => new Map([["a", count]]);

test("the longest gap is the longest time between two messages of one key within the window", () => {
  const sightings = seen(
    ["first", "a 0 100"],
    ["first", "b 0 110"],
    ["first", "a 1 120"],
    ["first", "a 2 165"],
    ["first", "a 3 900"],
  );
  expect(sightings.longestGapMs(["a", "b"], 100, 200)).toBe(45);
  expect(sightings.longestGapMs(["a"], 100, 1_000)).toBe(735);
  expect(sightings.longestGapMs(["b"], 100, 200)).toBe(0);
});

test("a key that more than one member saw has moved", () => {
  const sightings = seen(["first", "a 0 1"], ["first", "b 0 1"], ["second", "b 1 2"], ["second", "b 2 3"]);
  expect(sightings.unmovedSince(0)).toEqual(["a"]);
  expect(sightings.unmovedSince(2)).toEqual(["b"]);
});

test("a message that never came, or came after a later one, is a fault", () => {
  expect(seen(["first", "a 0 1"], ["first", "a 1 2"]).faults(sent(2))).toBe(0);
  expect(seen(["first", "a 0 1"]).faults(sent(2))).toBe(1);
  expect(seen(["first", "a 1 1"], ["first", "a 0 2"]).faults(sent(2))).toBe(1);
});

test("a message may come twice where its partition moved, and nowhere else", () => {
  expect(seen(["first", "a 0 1"], ["first", "a 0 2"]).faults(sent(1))).toBe(1);
  expect(seen(["first", "a 0 1"], ["second", "a 0 2"]).faults(sent(1))).toBe(0);
});

test("waits until the last message of every key has come", async () => {
  const sightings = seen(["first", "a 0 1"]);
  let all = false;
  const waiting = sightings.allOf(sent(2)).then(() => (all = true));
  await Promise.resolve();
  expect(all).toBe(false);
  sightings.add("first", "a 1 2");
  await waiting;
  expect(all).toBe(true);
});
