/**
 * How a run is going, once in a while: a sample for the plots, a line for people.
 *
 * In: the run. Out: samples, lines. Never here: sending, following.
 */
import { pause } from "cauce";
import { readDepth, type Depth } from "./depth.ts";
import type { Run } from "./run.ts";
import type { Sample } from "./sample.ts";
import { quantilesOf } from "./series.ts";

export interface Showing {
  readonly count: number;
  readonly everyMs: number;
  readonly show: ((line: string) => void) | undefined;
  /** Ask the door's metrics with each sample. */
  readonly depths: boolean;
}

/** Latencies of the newest so many asks make the line's percentiles. */
const NEWEST = 500;

/** Takes samples until the run ends, and one at its end. */
export async function watch(run: Run, { count, everyMs, show, depths }: Showing): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const take = async () => {
    const depth = depths ? await readDepth(run.door) : undefined;
    const sample = sampleOf(run, depth);
    samples.push(sample);
    show?.(lineOf(run, sample, samples.at(-2), count));
  };
  while (!run.signal.aborted) {
    await pause(run.clock, everyMs, run.signal);
    await take();
  }
  return samples;
}

function sampleOf({ ledger, clock, startTick, sending }: Run, depth: Depth | undefined): Sample {
  return {
    atMs: Math.round(clock.monotonicMs() - startTick),
    asked: ledger.asked,
    hits: ledger.hits,
    answered: ledger.count("done"),
    failed: ledger.count("failed"),
    resent: ledger.resent,
    waits: ledger.waits,
    open: ledger.open,
    sending: sending.size,
    depth,
  };
}

function lineOf({ ledger }: Run, sample: Sample, before: Sample | undefined, count: number): string {
  const seconds = (sample.atMs - (before?.atMs ?? 0)) / 1_000;
  const rate = seconds > 0 ? (sample.asked - (before?.asked ?? 0)) / seconds : 0;
  const newest = quantilesOf(ledger.answeredAsks.slice(-NEWEST).map(({ latencyMs }) => latencyMs));
  const latency = newest ? `  p50 ${newest.p50} ms  p99 ${newest.p99} ms` : "";
  return (
    `${String(Math.round(sample.atMs / 1_000)).padStart(4)} s  asked ${sample.asked}/${count}  queued ${ledger.queued}  ` +
    `hits ${sample.hits}  answered ${sample.answered}  failed ${sample.failed}  waiting ${sample.open}  ` +
    `${rate.toFixed(0)}/s${latency}${sample.resent > 0 ? `  sent again ${sample.resent}` : ""}`
  );
}
