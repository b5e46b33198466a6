/**
 * `bun bench/report.ts`: writes the tables of docs/performance.md from the kept lines.
 *
 * In: bench/results.jsonl, the page. Out: the page, changed between its two marks alone; what is around them is written by
 * people. A test says so when the page and the lines differ. Never here: measuring.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Benchmark } from "./harness/measurement.ts";
import { type Kept, readResults } from "./harness/results.ts";
import { MEASUREMENTS } from "./list.ts";

export const PAGE = join(import.meta.dir, "..", "docs", "performance.md");
const BEGIN = "<!-- bench/report.ts writes from here -->";
const END = "<!-- to here -->";
const HEAD = [
  "| benchmark | what | median (95 % interval) | must | aim | |",
  "| --- | --- | --- | --- | --- | --- |",
];

if (import.meta.main) writeFileSync(PAGE, withTables(readFileSync(PAGE, "utf8"), readResults()));

/** @throws Error where the page has no marks. */
export function withTables(page: string, results: readonly Kept[]): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`the page has no ${BEGIN} … ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${tables(results)}\n${page.slice(end)}`;
}

function tables(results: readonly Kept[]): string {
  const benchmarks = MEASUREMENTS.flatMap((measurement) => measurement.benchmarks);
  const rows = Map.groupBy(benchmarks, ({ row }) => row);
  const byName = new Map(results.map((line) => [line.name, line]));
  const sections = [...rows].map(
    ([row, all]) =>
      `### ${capital(row)}\n\n${table(all.map((each) => [each, byName.get(each.name)] as const))}\n`,
  );
  return [...sections, settings(results)].join("\n");
}

function table(lines: readonly (readonly [Benchmark, Kept | undefined])[]): string {
  const rows = lines.map(([{ name, reference, unit, better, must, aim }, line]) => {
    const than = better === "higher" ? "≥" : "≤";
    const measured =
      line === undefined
        ? "not measured"
        : `${line.value} (${line.low}–${line.high})${unit === "ratio" ? "" : ` ${unit}`}`;
    return `| \`${name}\` | ${reference} | ${measured} | ${than} ${must} | ${than} ${aim} | ${verdict(line, better)} |`;
  });
  return [...HEAD, ...rows].join("\n");
}

/** Judged at the bad end, the aim too. */
function verdict(line: Kept | undefined, better: "higher" | "lower"): string {
  if (line === undefined) return "";
  if (line.faults > 0) return `**${line.faults} messages wrong: scores 0**`;
  if (!line.pass) return "**not reached**";
  const aimed = better === "higher" ? line.low >= line.aim : line.high <= line.aim;
  return aimed ? "aim reached" : "reached";
}

/** What the lines were measured on, grouped where they share it. */
function settings(results: readonly Kept[]): string {
  const grouped = Map.groupBy(results, ({ day, machine, versions }) => `${machine}; ${versions}; ${day}`);
  const shown = [...grouped].map(([about, lines]) =>
    grouped.size === 1
      ? `Measured on ${about}.\n`
      : `Measured on ${about}: ${lines.map(({ name }) => `\`${name}\``).join(", ")}.\n`,
  );
  return shown.join("\n");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
