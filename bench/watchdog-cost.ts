/**
 * `bun bench/watchdog-cost.ts`: what writing down a run costs on the healthy path, beside the run without it.
 *
 * In: nothing. Out: ns per run for a handler that answers at once, A B A B, the median of the differences.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../runtime/ground/clock.ts";
import { silentLog } from "../runtime/ground/log.ts";
import type { Coordinates, Watched } from "../runtime/watchdog/watch.ts";
import { openWatchdog } from "../runtime/watchdog/watchdog.ts";

const RUNS = 200_000;
const PAIRS = 15;

const folder = mkdtempSync(join(tmpdir(), "cauce-cost-"));
const options = { folder, stallMs: 30_000, deaths: 3, slots: 64, supervised: true };
const watchdog = openWatchdog({ ...options, clock: systemClock, log: silentLog });
if (watchdog === null) throw new Error("no watchdog");

const at = { topic: "grain", partition: 3, offset: 0, timestampMs: systemClock.nowMs() };
const answer = async () => 1;
const condemned = () => 0;

async function nsPerRun(run: (offset: number) => unknown): Promise<number> {
  const startMs = systemClock.monotonicMs();
  for (let offset = 0; offset < RUNS; offset++) await run(offset);
  return ((systemClock.monotonicMs() - startMs) * 1e6) / RUNS;
}

const mill: Watched<Coordinates, unknown> = { handler: "mill", at: (of) => of, work: answer, condemned };
const differences: number[] = [];
for (let pair = 0; pair < PAIRS; pair++) {
  const bare = await nsPerRun(answer);
  const watched = await nsPerRun((offset) => watchdog.run(mill, { ...at, offset }));
  if (pair > 2) differences.push(watched - bare);
}
watchdog.close();
rmSync(folder, { recursive: true });
const sorted = differences.toSorted((a, b) => a - b);
process.stdout.write(
  `${JSON.stringify({ name: "watchdog-cost", value: Math.round(sorted[sorted.length >> 1] ?? NaN), low: Math.round(sorted[0] ?? NaN), high: Math.round(sorted.at(-1) ?? NaN), unit: "ns per run" })}\n`,
);
