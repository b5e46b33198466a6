/**
 * The schedule beside those that a user would take instead: pg-boss and graphile-worker, the same rows, in the same run.
 *
 * In: a stage. Out: how late rows are that fall due one after the other, and how fast those go that are due at one instant, each over
 * the better of the two. Theirs run an empty function; ours are published to Kafka and acknowledged.
 */
import { join } from "node:path";
import { runChild } from "../harness/child.ts";
import type { Measurement } from "../harness/measurement.ts";
import { PARTITIONS, type Stage } from "../harness/stage.ts";
import type { Pair } from "../harness/verdict.ts";
import type { DueResult, DueWork } from "../peers/due.ts";
import { installPeers } from "../peers/install.ts";
import { runDoor } from "./run-door.ts";
import { Table } from "./table.ts";

const WAITING = 1_000_000;
const QUICK_WAITING = 50_000;
const DAY_MS = 86_400_000;
/** Filled before the first is due. */
const AFTER_MS = 8_000;
const PEERS = ["pg-boss", "graphile-worker"] as const;

const LATENESS = "schedule-peers-lateness";
const RATE = "schedule-peers-rate";

export const schedulePeers: Measurement = {
  benchmarks: [
    {
      name: LATENESS,
      row: "delayed/retry scheduler: peers",
      reference:
        "p99 lateness of the better of pg-boss and graphile-worker over ours, 20,000 due over 10 s, 1M waiting",
      unit: "ratio",
      better: "higher",
      must: 1,
      aim: 3,
    },
    {
      name: RATE,
      row: "delayed/retry scheduler: peers",
      reference:
        "rows/s of ours over the better of pg-boss and graphile-worker, 50,000 due at one instant, 1M waiting",
      unit: "ratio",
      better: "higher",
      must: 1,
      aim: 3,
    },
  ],
  async measure(stage) {
    const hosts = await installPeers(stage.say);
    const program = hosts.find(({ name }) => name === "Node")?.program ?? process.execPath;
    const contenders = [
      await ours(stage),
      ...(await Promise.all(PEERS.map((name) => peer(stage, name, program)))),
    ];
    for (const { wait } of contenders) await wait(stage.quick ? QUICK_WAITING : WAITING);
    const lateness: Pair[] = [];
    const rates: Pair[] = [];
    for (let pair = 0; pair < stage.pairs; pair++) {
      const late = await each(contenders, (run) =>
        run({ rows: stage.quick ? 5_000 : 20_000, overMs: stage.quick ? 2_500 : 10_000 }),
      );
      for (const { name, p50Ms, p99Ms, early } of late)
        stage.say(`  ${name}: late p50 ${p50Ms.toFixed(1)}, p99 ${p99Ms.toFixed(1)} ms; ${early} early`);
      lateness.push(pairOf(late, ({ p99Ms }) => 1 / p99Ms));
      const instant = await each(contenders, (run) =>
        run({ rows: stage.quick ? 10_000 : 50_000, overMs: 0 }),
      );
      for (const { name, perSecond } of instant) stage.say(`  ${name}: ${perSecond.toFixed(0)} rows/s`);
      rates.push(pairOf(instant, ({ perSecond }) => perSecond));
    }
    for (const { close } of contenders) await close();
    return new Map([
      [LATENESS, lateness],
      [RATE, rates],
    ]);
  },
};

interface Asked {
  readonly rows: number;
  readonly overMs: number;
}

interface Seen extends Omit<DueResult, "lastMs"> {
  readonly name: string;
  /** From the first due time to the last run. */
  readonly perSecond: number;
}

interface Contender {
  readonly wait: (rows: number) => Promise<unknown>;
  readonly run: (asked: Asked) => Promise<Seen>;
  readonly close: () => Promise<void>;
}

async function ours(stage: Stage): Promise<Contender> {
  const table = await Table.open(await stage.newDatabase());
  const topic = await stage.newTopic(PARTITIONS);
  return {
    wait: (rows) => table.wait(topic, rows),
    async run({ rows, overMs }) {
      let firstMs = NaN;
      const result = await runDoor(stage, { url: table.url, topic, rows, kind: "runtime" }, async () => {
        firstMs = await table.due(topic, { rows, afterMs: AFTER_MS, overMs });
      });
      return seenOf("cauce", result, firstMs, rows);
    },
    close: () => table.close(),
  };
}

async function peer(stage: Stage, name: (typeof PEERS)[number], program: string): Promise<Contender> {
  const url = await stage.newDatabase();
  const child = <Result>(work: Omit<DueWork, "url">, onLine: (line: string) => void = () => undefined) =>
    runChild<Result>({
      command: [program, join(import.meta.dir, `../peers/${name}.ts`), JSON.stringify({ url, ...work })],
      onLine,
    });
  return {
    wait: (rows) => child({ role: "waiting", rows, firstMs: Date.now() + DAY_MS, overMs: rows }),
    async run({ rows, overMs }) {
      const firstMs = Date.now() + AFTER_MS;
      const due = { rows, firstMs, overMs };
      // Filled first: neither is told of what another process inserts for later.
      await child({ role: "due", ...due });
      return seenOf(name, await child<DueResult>({ role: "work", ...due }), firstMs, rows);
    },
    close: () => Promise.resolve(),
  };
}

function seenOf(name: string, result: DueResult, firstMs: number, rows: number): Seen {
  const { p50Ms, p99Ms, early, repeated, lastMs } = result;
  return { name, p50Ms, p99Ms, early, repeated, perSecond: rows / ((lastMs - firstMs) / 1_000) };
}

async function each(
  contenders: readonly Contender[],
  ask: (run: Contender["run"]) => Promise<Seen>,
): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  for (const { run } of contenders) seen.push(await ask(run));
  return seen;
}

/** Ours, the first, over the best of the others; a fault of ours counts. */
function pairOf([mine, ...others]: readonly Seen[], worth: (seen: Seen) => number): Pair {
  if (mine === undefined) throw new Error("nobody ran");
  return { value: worth(mine) / Math.max(...others.map(worth)), faults: mine.early + mine.repeated };
}
