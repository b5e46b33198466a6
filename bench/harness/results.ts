/**
 * Lines that are kept, with what they were measured on.
 *
 * In: lines of full runs. Out: one JSON object a line in a file, the newest of each benchmark. Never here: a page (report.ts).
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import type { Line } from "./verdict.ts";

export interface Kept extends Line {
  /** The day of the run, such as 2026-02-28. */
  readonly day: string;
  readonly machine: string;
  /** Versions of what was measured with. */
  readonly versions: string;
}

export const RESULTS = join(import.meta.dir, "..", "results.jsonl");

export function readResults(file = RESULTS): readonly Kept[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Kept);
}

/** Puts lines in the place of older ones of the same benchmarks. Quick runs are refused: they prove nothing. */
export function keepResults(lines: readonly Line[], about: Omit<Kept, keyof Line>, file = RESULTS): void {
  if (lines.some(({ quick }) => quick)) throw new Error("a quick run proves nothing and is not kept");
  const names = new Set(lines.map(({ name }) => name));
  const others = readResults(file).filter(({ name }) => !names.has(name));
  const all = [...others, ...lines.map((line): Kept => ({ ...line, ...about }))];
  const sorted = all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  writeFileSync(file, sorted.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

/** "2 × Intel Xeon, 23 GiB, Linux 6.1". */
export function describeMachine(): string {
  const [first] = cpus();
  const gibibytes = Math.round(totalmem() / 1024 ** 3);
  return `${cpus().length} × ${first?.model.trim() || "unknown"}, ${gibibytes} GiB, Linux ${release()}`;
}
