import { expect, test } from "bun:test";
import { claimSize } from "./claim-size.ts";

const MIB = 1024 * 1024;

test("claims grow while they come back full, up to the most, and shrink when little is due", () => {
  const size = claimSize(2_000);
  const sizes = Array.from({ length: 5 }, () => {
    size.brought(size.rows, 1_000);
    return size.rows;
  });
  expect(sizes).toEqual([500, 1_000, 2_000, 2_000, 2_000]);
  size.brought(600, 1_000);
  expect(size.rows).toBe(600);
  size.brought(0, 0);
  expect(size.rows).toBe(250);
});

test("large messages come in small claims, and one alone however large", () => {
  const size = claimSize(2_000);
  size.brought(250, 250 * MIB);
  expect(size.rows).toBe(16);
  size.brought(16, 16 * 100 * MIB);
  expect(size.rows).toBe(1);
  size.brought(1, 1_000);
  expect(size.rows).toBe(2);
});

test("the most is never exceeded, not even at the start", () => {
  const size = claimSize(10);
  expect(size.rows).toBe(10);
  size.brought(10, 10);
  expect(size.rows).toBe(10);
});
