/**
 * `bun run faults`: every fault case, quick and long, and the matrix in docs/faults.md.
 *
 * In: optionally numbers of cases or parts of titles (`5 14 "black hole"`); then only these run and nothing is written; with
 * `--list` nothing runs at all. Out: a line a case, the matrix; status 0 only when every case was run and its verdict is clean. Never here: cases.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { backlogCases } from "./backlog-cases.ts";
import type { FaultCase } from "./case.ts";
import { failpointCases } from "./failpoint-cases.ts";
import { fenceCases } from "./fence-cases.ts";
import { killCases } from "./kill-cases.ts";
import { topicCases } from "./topic-cases.ts";
import { matrix } from "./matrix.ts";
import { messageCases } from "./message-cases.ts";
import { mockCases } from "./mock-cases.ts";
import { networkCases } from "./network-cases.ts";
import { runCases, type Ran } from "./pool.ts";
import { providerCases } from "./provider-cases.ts";
import { onceCases } from "./once-cases.ts";
import { findServices } from "./quick.ts";
import { scheduleCases } from "./schedule-cases.ts";
import { storageCases } from "./storage-cases.ts";
import { stormCases } from "./storm-case.ts";

/** Each has topics, groups and workers of its own; together they share two cores and the broker. */
const AT_ONCE = 3;

const page = join(import.meta.dir, "../../docs/faults.md");

if (import.meta.main) process.exit(await main(process.argv.slice(2)));

async function main(args: readonly string[]): Promise<number> {
  const cases = chosen(args.filter((arg) => arg !== "--list"));
  if (cases.length === 0) say("no case has such a number or title; `--list` shows them");
  if (args.includes("--list")) {
    for (const { number, title, quick } of cases)
      say(`${String(number).padStart(2)} ${quick ? "quick" : "long "} ${title}`);
    return 0;
  }
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
  if (args.length === 0) writeFileSync(page, table);
  const notRun = rows.filter(([, { verdict }]) => verdict.skipped !== undefined).length;
  const failed = rows.filter(([, { verdict }]) => !verdict.passed).length;
  say(`${rows.length - failed - notRun} passed, ${failed} failed, ${notRun} not run`);
  return failed === 0 && notRun === 0 && rows.length > 0 ? 0 : 1;
}

/** By number where it is one, else by a part of the title; all where nothing is wanted. */
function chosen(wanted: readonly string[]): readonly FaultCase[] {
  const all = [
    ...failpointCases,
    ...fenceCases,
    ...killCases,
    ...onceCases,
    ...topicCases,
    ...networkCases,
    ...storageCases,
    ...scheduleCases,
    ...stormCases,
    ...mockCases,
    ...messageCases,
    ...backlogCases,
    ...providerCases,
  ];
  const fits = ({ number, title }: FaultCase, word: string) =>
    /^\d+$/.test(word) ? number === Number(word) : title.includes(word);
  return all
    .filter((each) => wanted.length === 0 || wanted.some((word) => fits(each, word)))
    .toSorted((a, b) => a.number - b.number);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
