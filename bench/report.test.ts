/** The page of results. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type Kept, readResults } from "./harness/results.ts";
import { judge } from "./harness/verdict.ts";
import { MEASUREMENTS } from "./list.ts";
import { PAGE, withTables } from "./report.ts";

const EMPTY = "before\n<!-- bench/report.ts writes from here -->\n<!-- to here -->\nafter\n";
const [benchmark] = MEASUREMENTS.flatMap((measurement) => measurement.benchmarks);
if (!benchmark) throw new Error("no benchmark");

function kept(value: number, faults = 0): Kept {
  if (!benchmark) throw new Error("no benchmark");
  const line = judge(
    benchmark.name,
    benchmark,
    Array.from({ length: 7 }, () => ({ value, faults })),
  );
  return { ...line, day: "2026-01-02", machine: "one machine", versions: "Bun 1" };
}

/** The row of the first benchmark, with single spaces. */
function rowOf(page: string): string {
  const row = page.split("\n").find((line) => line.startsWith(`| \`${benchmark?.name}\``)) ?? "";
  return row.replaceAll(/ +/g, " ");
}

test("docs/performance.md says what the kept lines say", () => {
  const page = readFileSync(PAGE, "utf8");
  const plain = (text: string) => text.replaceAll(/[\s-]+/g, " ");
  expect(plain(page)).toBe(plain(withTables(page, readResults())));
});

test("each benchmark has its row, also without a line", () => {
  const page = withTables(EMPTY, []);
  for (const { name } of MEASUREMENTS.flatMap((measurement) => measurement.benchmarks)) {
    expect(page).toContain(`| \`${name}\` |`);
  }
  expect(rowOf(page)).toContain("| not measured |");
  expect(page).toStartWith("before\n");
  expect(page).toEndWith("<!-- to here -->\nafter\n");
});

test("a figure that is not reached says so, one that is reached says whether the aim is too", () => {
  expect(rowOf(withTables(EMPTY, [kept(0.5)]))).toContain(
    "| 0.5 (0.5–0.5) | ≥ 0.7 | ≥ 0.85 | **not reached** |",
  );
  expect(rowOf(withTables(EMPTY, [kept(0.8)]))).toEndWith("| reached |");
  expect(rowOf(withTables(EMPTY, [kept(0.9)]))).toEndWith("| aim reached |");
  expect(rowOf(withTables(EMPTY, [kept(0.9, 1)]))).toContain("scores 0");
});

test("the page names the machine and the versions", () => {
  expect(withTables(EMPTY, [kept(0.8)])).toContain("Measured on one machine; Bun 1; 2026-01-02.");
});
