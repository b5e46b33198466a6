/**
 * From nothing to the first message: import, settings, library, database, topics, group; beside the same of the C loop.
 *
 * In: a stage. Out: ours minus C's, in ms, pair by pair. Both are a restart: topics, group and the database's tables are there
 * from the runs before. Ours is the process of `cauce handlers`; the clock starts before it is spawned and stops when its first
 * message has reached the handler, or the loop.
 */
import { runChild, type ChildOptions } from "../harness/child.ts";
import type { Checked, Hop } from "../harness/hop.ts";
import { measurement } from "../harness/measurement.ts";
import { interleave } from "../harness/pairs.ts";
import { COMMIT_EVERY_MS, PARTITIONS, type Stage } from "../harness/stage.ts";
import { cLoop } from "./consume-produce.ts";
import { runtimeHop } from "./json-hop.ts";

const MESSAGES = 100;
const BYTES = 256;
/** Runs that do not count: tables, topics and groups are made. */
const RUNS_BEFORE = 1;

export const startUp = measurement(
  {
    name: "start-up",
    row: "import + start to first message",
    reference: "ms from spawn to first message of `cauce handlers`, beyond those of the C loop",
    unit: "ms",
    better: "lower",
    must: 250,
    aim: 80,
  },
  async (stage) => {
    const runtime = await runtimeHop(stage, "key");
    const c = await openSide(stage, cLoop("bytes"));
    const ours = await openSide(stage, runtime.hop);
    for (let run = 0; run < RUNS_BEFORE; run++) {
      await c.run();
      await ours.run();
    }
    const pairs = await interleave(stage.pairs, { reference: c.run, ours: ours.run });
    const faults = (await c.faults()) + (await ours.faults());
    runtime.close();
    return pairs.map((pair) => ({ value: pair.ours - pair.reference, faults }));
  },
);

interface Side {
  /** One start on new messages. @returns ms to the first of them. */
  readonly run: () => Promise<number>;
  /** Messages that did not come out once a run. */
  readonly faults: () => Promise<number>;
}

async function openSide(stage: Stage, hop: Hop): Promise<Side> {
  const [from, to] = [await stage.newTopic(PARTITIONS), await stage.newTopic(PARTITIONS)];
  const work = {
    brokers: stage.brokers,
    library: stage.library,
    group: `start-${from}`,
    from,
    to,
    messages: MESSAGES,
    warm: 0,
    variant: hop.variant ?? "",
    commitEveryMs: COMMIT_EVERY_MS,
  };
  let runs = 0;
  return {
    async run() {
      await stage.fillInto(from, { messages: MESSAGES, bytes: BYTES, headers: 7 });
      runs++;
      const firstMs = await timeToFirst(hop.start(work, stage));
      stage.say(`  ${hop.title}: ${firstMs.toFixed(0)} ms`);
      return firstMs;
    },
    async faults() {
      const command = stage.reference.command("check", stage.brokers, to, MESSAGES, BYTES, hop.added, 0);
      const { missing, wrong, repeated } = await runChild<Checked>(command);
      return missing + wrong + Math.abs(repeated - MESSAGES * (runs - 1));
    },
  };
}

async function timeToFirst(options: ChildOptions): Promise<number> {
  const startMs = performance.now();
  let firstMs = NaN;
  await runChild({
    ...options,
    onLine(line, child) {
      if (line === "first") firstMs = performance.now() - startMs;
      options.onLine?.(line, child);
    },
  });
  return firstMs;
}
