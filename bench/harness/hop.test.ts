/** Ids in = ids out. */
import { expect, test } from "bun:test";
import { deriveId } from "../../runtime/engine/envelope.ts";
import { faultsOf, type Checked } from "./hop.ts";

const clean: Checked = { missing: 0, repeated: 0, wrong: 0, reordered: 0, control: 0, samples: [] };
const MESSAGES = 1_994;
const samplesWith = (idOf: (n: number) => string) => [0, 997].map((n) => ({ n, id: idOf(n) }));

test("a message that is missing, repeated, changed or out of order is a fault", () => {
  expect(faultsOf(clean, {}, MESSAGES)).toBe(0);
  expect(faultsOf({ ...clean, missing: 2 }, {}, MESSAGES)).toBe(2);
  expect(faultsOf({ ...clean, repeated: 1, wrong: 3, reordered: 5 }, {}, MESSAGES)).toBe(9);
});

test("a message under another id than its input's, or than the derived one, is a fault", () => {
  const kept = samplesWith((n) => `m-${String(n).padStart(8, "0")}`);
  const derived = samplesWith((n) => deriveId(`m-${String(n).padStart(8, "0")}`, "next", 0));
  const made = { ids: { derivedFor: "next" } } as const;
  expect(faultsOf({ ...clean, samples: kept }, { ids: "kept" }, MESSAGES)).toBe(0);
  expect(faultsOf({ ...clean, samples: derived }, made, MESSAGES)).toBe(0);
  expect(faultsOf({ ...clean, samples: kept }, made, MESSAGES)).toBe(2);
  expect(faultsOf({ ...clean, samples: derived }, { ids: "kept" }, MESSAGES)).toBe(2);
});

test("messages that come without the id that they should carry are faults", () => {
  expect(faultsOf(clean, { ids: "kept" }, MESSAGES)).toBe(2);
});

test("a hop that should write in transactions and did not is a fault, and the other way round", () => {
  const marked = { ...clean, control: 40 };
  expect(faultsOf(marked, { transactional: true }, MESSAGES)).toBe(0);
  expect(faultsOf(clean, { transactional: true }, MESSAGES)).toBe(1);
  expect(faultsOf(marked, {}, MESSAGES)).toBe(1);
});
