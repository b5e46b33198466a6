/** Lines that are kept. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepResults, readResults } from "./results.ts";
import { judge } from "./verdict.ts";

const folder = mkdtempSync(join(tmpdir(), "cauce-results-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const limits = { reference: "x", unit: "ratio", better: "higher", must: 1, aim: 2 } as const;
const about = { day: "2026-01-02", machine: "one", versions: "some" };
const line = (name: string, value: number) =>
  judge(
    name,
    limits,
    Array.from({ length: 7 }, () => ({ value, faults: 0 })),
  );

test("the newest line of each benchmark is kept, with its machine", () => {
  const file = join(folder, "results.jsonl");
  keepResults([line("b", 1), line("a", 1)], about, file);
  keepResults([line("b", 3)], { ...about, machine: "two" }, file);
  expect(readResults(file).map(({ name, value, machine }) => [name, value, machine])).toEqual([
    ["a", 1, "one"],
    ["b", 3, "two"],
  ]);
});

test("a quick line is not kept", () => {
  const file = join(folder, "quick.jsonl");
  const quick = judge("a", limits, [], { quick: true });
  expect(() => keepResults([quick], about, file)).toThrow("proves nothing");
  expect(readResults(file)).toEqual([]);
});
