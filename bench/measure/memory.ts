/**
 * Growth of RSS while 100,000 messages wait, beside the same in C.
 *
 * In: a stage. Out: ours over C's, pair by pair. `memory-stalled`: handlers that do not come back, against a C consumer that
 * takes nothing; the messages wait in librdkafka's queue and in the engine's. `memory-held`: the process takes all of them and
 * keeps them, the binding's records against C's messages. Growth is the highest RSS after, minus that when it was ready.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ChildOptions, withChild } from "../harness/child.ts";
import { type Measurement, measurement } from "../harness/measurement.ts";
import { interleave } from "../harness/pairs.ts";
import { runtimeEnvironment } from "../harness/runtime-environment.ts";
import { COMMIT_EVERY_MS, consumerProperties, PARTITIONS, type Stage } from "../harness/stage.ts";
import type { HopWork } from "../harness/window.ts";

const MESSAGES = 100_000;
/** How long RSS is watched once everything is there. */
const WATCH_MS = 5_000;
/** The kernel tells of no growth: the highest of so many looks stands for the peak. */
const LOOK_EVERY_MS = 50;

const limits = {
  row: "growth of RSS for 100,000 messages waiting",
  unit: "ratio",
  better: "lower",
  must: 2,
  aim: 1.25,
} as const;
const bench = join(import.meta.dir, "..");

export const memory: readonly Measurement[] = [256, 4_096].flatMap((bytes) => {
  const suffix = bytes === 256 ? "" : "-4k";
  return [
    measurement(
      {
        ...limits,
        name: `memory-stalled${suffix}`,
        reference: `RSS growth of stalled handlers over that of a C consumer that takes nothing, ${MESSAGES} × ${bytes} B`,
      },
      async (stage) => {
        const databaseUrl = await stage.newDatabase();
        return await compare(stage, bytes, {
          c: (group, from) =>
            stage.reference.command("hold", stage.brokers, group, from, 0, consumerProperties()),
          ours: (group, from) => ({
            command: [process.execPath, join(bench, "runtime", "stalled.ts")],
            env: { ...runtimeEnvironment(stage, databaseUrl), RUN: group, NAME: group, FROM: from },
          }),
        });
      },
    ),
    measurement(
      {
        ...limits,
        name: `memory-held${suffix}`,
        reference: `RSS growth of the binding's records over that of C's messages, ${MESSAGES} × ${bytes} B kept`,
      },
      (stage) =>
        compare(stage, bytes, {
          c: (group, from) =>
            stage.reference.command("hold", stage.brokers, group, from, MESSAGES, consumerProperties()),
          ours: (group, from) => ({
            command: [
              process.execPath,
              join(bench, "reference", "holding-loop.ts"),
              JSON.stringify(workOf(stage, group, from)),
            ],
          }),
        }),
    ),
  ];
});

interface Sides {
  readonly c: (group: string, from: string) => ChildOptions;
  readonly ours: (group: string, from: string) => ChildOptions;
}

async function compare(stage: Stage, bytes: number, { c, ours }: Sides) {
  const pairs = await interleave(stage.pairs, {
    reference: () => growthMiB(stage, "C   ", bytes, c),
    ours: () => growthMiB(stage, "ours", bytes, ours),
  });
  return pairs.map((pair) => ({ value: pair.ours / pair.reference, faults: 0 }));
}

let groups = 0;

/** Starts a process on an empty topic, then fills the topic. */
async function growthMiB(
  stage: Stage,
  title: string,
  bytes: number,
  start: (group: string, from: string) => ChildOptions,
): Promise<number> {
  const topic = await stage.newTopic(PARTITIONS);
  const [ready, holding] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const options: ChildOptions = {
    ...start(`memory-${process.pid}-${++groups}`, topic),
    onLine: (line) => (line === "ready" ? ready.resolve() : holding.resolve()),
  };
  const growth = await withChild(options, async ({ pid }) => {
    await ready.promise;
    const before = await highestRssMiB(pid, SETTLE_MS);
    await stage.fillInto(topic, { messages: MESSAGES, bytes, headers: 7 });
    await holding.promise;
    return (await highestRssMiB(pid, WATCH_MS)) - before;
  });
  await stage.dropTopics(topic);
  stage.say(`  ${title}: grew by ${growth.toFixed(1)} MiB`);
  return growth;
}

/** How long a process that is ready is left alone before it is weighed. */
const SETTLE_MS = 1_000;

async function highestRssMiB(pid: number, forMs: number): Promise<number> {
  const endMs = performance.now() + forMs;
  let highest = 0;
  while (performance.now() < endMs) {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    highest = Math.max(highest, Number(kilobytes) / 1_024);
    await Bun.sleep(LOOK_EVERY_MS); // the kernel tells nobody that a process has grown
  }
  return highest;
}

function workOf({ brokers, library }: Stage, group: string, from: string): HopWork {
  return {
    brokers,
    library,
    group,
    from,
    to: from,
    messages: MESSAGES,
    warm: 0,
    variant: "",
    commitEveryMs: COMMIT_EVERY_MS,
  };
}
