import { expect, test } from "bun:test";
import { heldClock } from "../../tests/store/held-clock.ts";
import { CLAIM_FROM_START_EVERY_MS, claimFloor, START } from "./claim-floor.ts";

const rows = (topic: string, ...dueTimes: number[]) =>
  dueTimes.map((due_s, at) => ({ topic, due_s, id: `${at}` }));

test("while there is a backlog of one topic, a claim begins where the last one ended", () => {
  const floor = claimFloor(heldClock());
  expect(floor.at(["t"])).toBe(START);
  floor.took(["t"], { rows: rows("t", 1, 2), limit: 2 });
  expect(floor.at(["t"])).toEqual({ due_s: 2, id: "1" });
});

test("a claim begins at the start after one that found little, failed, or was of other topics", () => {
  const floor = claimFloor(heldClock());
  floor.at(["t"]);
  floor.took(["t"], { rows: rows("t", 1), limit: 2 });
  expect(floor.at(["t"])).toBe(START);
  floor.took(["t"], { rows: rows("t", 1, 2), limit: 2 });
  floor.forget();
  expect(floor.at(["t"])).toBe(START);
  floor.took(["t"], { rows: rows("t", 1, 2), limit: 2 });
  expect(floor.at(["t", "u"])).toBe(START);
});

test("topics that share a batch keep no floor: the oldest row that is left may be of any", () => {
  const floor = claimFloor(heldClock());
  floor.took(["t", "u"], { rows: [...rows("t", 1), ...rows("u", 5)], limit: 2 });
  expect(floor.at(["t", "u"])).toBe(START);
});

test("so often a claim begins at the start, whatever the backlog", async () => {
  const clock = heldClock();
  const floor = claimFloor(clock);
  floor.at(["t"]);
  floor.took(["t"], { rows: rows("t", 1, 2), limit: 2 });
  await clock.pass(CLAIM_FROM_START_EVERY_MS);
  expect(floor.at(["t"])).toBe(START);
});
