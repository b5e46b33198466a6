import { expect, test } from "bun:test";
import { reconcile, type Books } from "./reconcile.ts";

const books = (change: Partial<Books> = {}): Books => ({
  answered: ["a", "b"],
  failed: ["c"],
  open: [],
  steps: {},
  ...change,
});

test("balances when every question is answered once or failed", () => {
  expect(reconcile(["a", "b", "c"], books())).toMatchObject({
    asked: 3,
    answered: 2,
    failed: 1,
    balances: true,
  });
});

test.each([
  ["a lost question", ["a", "b", "c", "d"], {}, { missing: ["d"] }],
  ["a question answered twice", ["a", "b", "c"], { answered: ["a", "b", "a"] }, { twice: ["a"] }],
  ["a question answered and failed", ["a", "b", "c"], { failed: ["c", "a"] }, { both: ["a"] }],
  ["a question that nobody asked", ["a", "b"], {}, { unasked: ["c"] }],
  ["a question still on its way", ["a", "b", "c"], { open: ["b"] }, {}],
])("does not balance with %s", (_, asked, change, named) => {
  expect(reconcile(asked, books(change))).toMatchObject({ ...named, balances: false });
});
