/**
 * How fast a backlog that is due at one instant goes: beside the pinned claim loop and C's produce loop, and as the table grows.
 *
 * In: a stage. Out: our rate over the slower of the two loops'; and our rate with many rows waiting over that with few. A rate is that
 * of the last seven tenths of the rows.
 */
import { runChild } from "../harness/child.ts";
import type { Measurement } from "../harness/measurement.ts";
import { PARTITIONS, propertiesOf, type Stage } from "../harness/stage.ts";
import type { Pair } from "../harness/verdict.ts";
import { PRODUCER_DEFAULTS } from "../../runtime/kafka/index.ts";
import { runDoor } from "./run-door.ts";
import { Table } from "./table.ts";

const ROWS = 100_000;
const QUICK_ROWS = 40_000;
/** Of them, before the window opens: both programs are cold at the first, and a process that has a schedule is not. */
const WARM_SHARE = 0.3;
const FEW = 100_000;
const MANY = 10_000_000;
const QUICK_MANY = 1_000_000;
const AFTER_MS = 4_000;

export const drain: Measurement = {
  benchmarks: [
    {
      name: "schedule-drain",
      row: "delayed/retry scheduler: drain",
      reference:
        "rows/s of the scheduler over the slower of the pinned SQL claim loop and the C produce loop, 100k waiting",
      unit: "ratio",
      better: "higher",
      must: 0.6,
      aim: 0.85,
    },
  ],
  async measure(stage) {
    const topic = await stage.newTopic(PARTITIONS);
    const pairs: Pair[] = [];
    for (let pair = 0; pair < stage.morePairs; pair++) {
      const c = await produceRate(stage);
      // Whoever comes second meets a warmer machine: in turns.
      const oursFirst = pair % 2 === 1;
      const first = await drainAnew(stage, topic, oursFirst ? "runtime" : "loop");
      const second = await drainAnew(stage, topic, oursFirst ? "loop" : "runtime");
      const [loop, ours] = oursFirst ? [second, first] : [first, second];
      stage.say(
        `  rows/s: C produces ${c.toFixed(0)}, SQL loop ${loop.rate.toFixed(0)}, scheduler ${ours.rate.toFixed(0)}`,
      );
      pairs.push({ value: ours.rate / Math.min(c, loop.rate), faults: ours.faults + loop.faults });
    }
    return new Map([["schedule-drain", pairs]]);
  },
};

/** On a table of its own: what an earlier drain has left in it would slow the later one down. */
async function drainAnew(stage: Stage, topic: string, kind: "runtime" | "loop"): Promise<Rate> {
  const table = await Table.open(await stage.newDatabase());
  try {
    await table.wait(topic, FEW);
    return await drainRate(stage, table, topic, kind);
  } finally {
    await table.close();
  }
}

export const flat: Measurement = {
  benchmarks: [
    {
      name: "schedule-flat",
      row: "delayed/retry scheduler: 10M waiting",
      reference: "rows/s with 10M rows waiting over those with 100k",
      unit: "ratio",
      better: "higher",
      must: 0.9,
      aim: 1,
    },
  ],
  async measure(stage) {
    const topic = await stage.newTopic(PARTITIONS);
    const [few, many] = [
      await Table.open(await stage.newDatabase()),
      await Table.open(await stage.newDatabase()),
    ];
    await few.wait(topic, FEW);
    await many.wait(topic, stage.quick ? QUICK_MANY : MANY);
    const pairs: Pair[] = [];
    for (let pair = 0; pair < stage.pairs; pair++) {
      const small = await drainRate(stage, few, topic, "runtime");
      const large = await drainRate(stage, many, topic, "runtime");
      stage.say(`  rows/s: few waiting ${small.rate.toFixed(0)}, many waiting ${large.rate.toFixed(0)}`);
      pairs.push({ value: large.rate / small.rate, faults: small.faults + large.faults });
    }
    await Promise.all([few.close(), many.close()]);
    return new Map([["schedule-flat", pairs]]);
  },
};

interface Rate {
  readonly rate: number;
  readonly faults: number;
}

export async function drainRate(
  stage: Stage,
  table: Table,
  topic: string,
  kind: "runtime" | "loop",
  rows = stage.quick ? QUICK_ROWS : ROWS,
): Promise<Rate> {
  let atMs = NaN;
  const warm = Math.round(rows * WARM_SHARE);
  const result = await runDoor(stage, { url: table.url, topic, rows, kind, marks: [warm] }, async () => {
    atMs = await table.due(topic, { rows, afterMs: AFTER_MS, overMs: 0 });
  });
  const left = await table.left(topic, atMs + 1);
  const [warmMs = NaN] = result.marksMs;
  return {
    rate: (rows - warm) / ((result.lastMs - warmMs) / 1_000),
    faults: result.early + result.repeated + left,
  };
}

/** With its start, which is some 20 ms of a second. */
async function produceRate(stage: Stage): Promise<number> {
  const topic = await stage.newTopic(PARTITIONS);
  const startMs = performance.now();
  await runChild(
    stage.reference.command(
      "fill",
      stage.brokers,
      topic,
      PRODUCED,
      150,
      4,
      0,
      propertiesOf(PRODUCER_DEFAULTS),
    ),
  );
  const rate = PRODUCED / ((performance.now() - startMs) / 1_000);
  await stage.dropTopics(topic);
  return rate;
}

const PRODUCED = 200_000;
