import { expect, test } from "bun:test";
import { claimSize } from "./claim-size.ts";

const MIB = 1024 * 1024;

test("claims grow while they come back full, up to the most, and shrink when little is due", () => {
  const size = claimSize(2_000);
  const sizes = Array.from({ length: 5 }, () => {
    size.brought({ asked: size.rows, taken: size.rows, bytes: 1_000 });
    return size.rows;
  });
  expect(sizes).toEqual([500, 1_000, 2_000, 2_000, 2_000]);
  size.brought({ asked: 2_000, taken: 600, bytes: 1_000 });
  expect(size.rows).toBe(600);
  size.brought({ asked: 600, taken: 0, bytes: 0 });
  expect(size.rows).toBe(250);
});

test("large messages come in small claims, and one alone however large", () => {
  const size = claimSize(2_000);
  size.brought({ asked: 250, taken: 250, bytes: 250 * MIB });
  expect(size.rows).toBe(8);
  size.brought({ asked: 8, taken: 8, bytes: 8 * 100 * MIB });
  expect(size.rows).toBe(1);
  size.brought({ asked: 1, taken: 1, bytes: 1_000 });
  expect(size.rows).toBe(2);
});

test("the most is never exceeded, not even at the start", () => {
  const size = claimSize(10);
  expect(size.rows).toBe(10);
  size.brought({ asked: 10, taken: 10, bytes: 10 });
  expect(size.rows).toBe(10);
});

test("a claim is judged by what it asked for, not by what another one beside it made of the size since", () => {
  const size = claimSize(2_000);
  size.brought({ asked: 250, taken: 250, bytes: 1_000 });
  size.brought({ asked: 250, taken: 250, bytes: 1_000 });
  expect(size.rows).toBe(500);
});
