/**
 * `bun run faults`: every fault case, quick and long, and the matrix in docs/faults.md.
 *
 * In: optionally parts of titles; then only these run and nothing is written. Out: a line a case, the matrix; status 0 only
 * when every verdict is clean. Never here: cases.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FaultCase } from "./case.ts";
import { failpointCases } from "./failpoint-cases.ts";
import { fenceCases } from "./fence-cases.ts";
import { killCases } from "./kill-cases.ts";
import { matrix } from "./matrix.ts";
import { mockCases } from "./mock-cases.ts";
import { networkCases } from "./network-cases.ts";
import { runCases, type Ran } from "./pool.ts";
import { findServices } from "./quick.ts";
import { scheduleCases } from "./schedule-cases.ts";
import { storageCases } from "./storage-cases.ts";
import { stormCases } from "./storm-case.ts";

/** Each has topics, groups and workers of its own; together they share two cores and the broker. */
const AT_ONCE = 3;

const page = join(import.meta.dir, "../../docs/faults.md");

if (import.meta.main) process.exit(await main(process.argv.slice(2)));

async function main(wanted: readonly string[]): Promise<number> {
  const cases = [
    ...failpointCases,
    ...fenceCases,
    ...killCases,
    ...networkCases,
    ...storageCases,
    ...scheduleCases,
    ...stormCases,
    ...mockCases,
  ]
    .filter(({ title }) => wanted.length === 0 || wanted.some((part) => title.includes(part)))
    .toSorted((a, b) => a.number - b.number);
  const rows: [FaultCase, Ran][] = [];
  for (const [each, running] of runCases({ cases, services: findServices(), atOnce: AT_ONCE })) {
    const ran = await running;
    rows.push([each, ran]);
    const { passed, complaints, skipped } = ran.verdict;
    say(
      `${skipped !== undefined ? "skip" : passed ? "ok  " : "FAIL"} ${each.number} ${each.title} (${(ran.tookMs / 1_000).toFixed(1)} s)`,
    );
    if (skipped !== undefined) say(`     ${skipped}`);
    if (!passed) say(`     ${complaints}`);
  }
  const table = matrix(rows);
  if (wanted.length === 0) writeFileSync(page, table);
  const failed = rows.filter(([, { verdict }]) => !verdict.passed).length;
  say(`${rows.length - failed} passed, ${failed} failed`);
  return failed === 0 && rows.length > 0 ? 0 : 1;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
