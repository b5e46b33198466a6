/**
 * `bun bench/scale/command.ts`: the slopes behind docs/scale.md.
 *
 * In: options. Out: progress, results.json beside this file, and with it the tables and pictures of the page. `--quick` shortens
 * everything and writes nothing; `--page` measures nothing and writes the page anew. Never here: what the page says around them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { endChildren } from "../harness/child.ts";
import { describeMachine } from "../harness/results.ts";
import { openStage } from "../harness/stage.ts";
import { writePage } from "./page.ts";
import { measurePartitions } from "./partitions.ts";
import { measureProcesses } from "./processes.ts";
import { measureQuestion } from "./questions.ts";
import type { Slopes } from "./slopes.ts";
import { measureRows } from "./rows.ts";

const RESULTS = join(import.meta.dir, "results.json");

if (import.meta.main) {
  const { values } = parseArgs({
    options: { quick: { type: "boolean", default: false }, page: { type: "boolean", default: false } },
  });
  process.once("SIGINT", () => {
    endChildren();
    process.exit(130);
  });
  if (!values.page) await measure(values.quick);
  if (!values.quick) writePage(JSON.parse(readFileSync(RESULTS, "utf8")) as Slopes);
  process.exit(0);
}

async function measure(quick: boolean): Promise<void> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const stage = await openStage({ brokers: undefined, quick, say });
  try {
    const slopes: Slopes = {
      day: new Date().toISOString().slice(0, 10),
      machine: describeMachine(),
      versions: stage.versions,
      question: await measureQuestion(stage),
      processes: await measureProcesses(stage, [1, 2, 4]),
      partitions: await measurePartitions(stage, [4, 64, 256]),
      rows: await measureRows(stage, quick ? [10_000, 100_000] : [100_000, 1_000_000, 10_000_000]),
    };
    if (quick) process.stdout.write(`${JSON.stringify(slopes)}\n`);
    else writeFileSync(RESULTS, `${JSON.stringify(slopes, null, 2)}\n`);
  } finally {
    await stage.close();
  }
}
