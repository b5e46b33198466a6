/**
 * The main path beside a retry storm: how much longer a calm handler's messages take while all of another handler's fail.
 *
 * In: a stage. Out: latency during the storm over that before it, median and p99. Both handlers and the scheduler share one process and
 * its event loop; another process sends the calm messages. A message that was done twice is a fault.
 */
import { runStorm } from "../../tests/faults/storm.ts";
import type { Benchmark, Measurement } from "../harness/measurement.ts";
import { quantile } from "../harness/statistics.ts";
import type { Pair } from "../harness/verdict.ts";

/** Each fails twice: ten seconds, about. */
const MESSAGES = 60_000;
const QUICK_MESSAGES = 5_000;
const BEFORE_MS = 10_000;
const QUICK_BEFORE_MS = 5_000;

const SHARES = { "schedule-storm-p50": 0.5, "schedule-storm-p99": 0.99 } as const;

export const storm: Measurement = {
  benchmarks: [benchmark("schedule-storm-p50", "median"), benchmark("schedule-storm-p99", "p99")],
  async measure(stage) {
    const databaseUrl = await stage.newDatabase();
    const pairs = new Map<string, Pair[]>(Object.keys(SHARES).map((name) => [name, []]));
    for (let pair = 0; pair < stage.pairs; pair++) {
      const { before, during, repeats, scheduledPerSecond } = await runStorm({
        brokers: stage.brokers,
        databaseUrl,
        library: stage.library,
        messages: stage.quick ? QUICK_MESSAGES : MESSAGES,
        beforeMs: stage.quick ? QUICK_BEFORE_MS : BEFORE_MS,
      });
      for (const [name, share] of Object.entries(SHARES)) {
        const [calm, stormy] = [quantile(before, share), quantile(during, share)];
        pairs.get(name)?.push({ value: stormy / calm, faults: repeats });
        stage.say(
          `  ${name}: ${calm.toFixed(1)} ms before, ${stormy.toFixed(1)} ms while ${scheduledPerSecond.toFixed(0)} failures/s became rows`,
        );
      }
    }
    return pairs;
  },
};

function benchmark(name: keyof typeof SHARES, which: string): Benchmark {
  return {
    name,
    row: "delayed/retry scheduler: beside a storm",
    reference: `${which} latency of a handler while all messages of another one fail, over that before, in one process`,
    unit: "ratio",
    better: "lower",
    must: 2,
    aim: 1.2,
  };
}
