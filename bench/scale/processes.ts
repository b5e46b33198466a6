/**
 * More processes, the same handler: what do 1, 2 and 4 of them carry, and what does a message cost them?
 *
 * In: a stage. Out: a point for each number of processes. The handler waits 50 ms, so a process is full at IN_FLIGHT / 50 ms; the messages
 * are written once all processes have joined.
 */
import { join } from "node:path";
import { runChild } from "../harness/child.ts";
import { runtimeEnvironment } from "../harness/runtime-environment.ts";
import type { Stage } from "../harness/stage.ts";
import type { Worked } from "./worker.ts";

const TAKES_MS = 50;
const IN_FLIGHT = 64;
const PARTITIONS = 24;
/** Of what the processes could do at most, in time. */
const FOR_MS = 8_000;
const QUICK_FOR_MS = 2_000;

export interface ProcessesPoint {
  readonly processes: number;
  readonly perSecond: number;
  /** What the waiting alone would allow. */
  readonly idealPerSecond: number;
  readonly cpuUsPerMessage: number;
  readonly rssMbPerProcess: number;
}

export async function measureProcesses(
  stage: Stage,
  counts: readonly number[],
): Promise<readonly ProcessesPoint[]> {
  const points: ProcessesPoint[] = [];
  for (const processes of counts) points.push(await measure(stage, processes));
  return points;
}

async function measure(stage: Stage, processes: number): Promise<ProcessesPoint> {
  const databaseUrl = await stage.newDatabase();
  const idealPerSecond = (processes * IN_FLIGHT * 1_000) / TAKES_MS;
  const messages = Math.round((idealPerSecond * (stage.quick ? QUICK_FOR_MS : FOR_MS)) / 1_000);
  const topic = await stage.newTopic(PARTITIONS);
  const name = `scale-${process.pid}-${processes}`;
  const done = new Map<number, number>();
  const ends: (() => void)[] = [];
  const joined = Promise.withResolvers<void>();
  let ready = 0;
  const workers = Array.from({ length: processes }, (_, number) =>
    runChild<Worked>({
      command: [process.execPath, join(import.meta.dir, "worker.ts")],
      env: {
        ...runtimeEnvironment(stage, databaseUrl),
        RUN: name,
        NAME: name,
        FROM: topic,
        IN_FLIGHT: String(IN_FLIGHT),
        TAKES_MS: String(TAKES_MS),
      },
      onLine(line, child) {
        if (line === "ready") {
          ends.push(() => child.end());
          if (++ready === processes) joined.resolve();
        }
        const [, count] = /^done (\d+)$/.exec(line) ?? [];
        if (count === undefined) return;
        done.set(number, Number(count));
        if ([...done.values()].reduce((sum, each) => sum + each, 0) >= messages)
          for (const end of ends.splice(0)) end();
      },
    }),
  );
  await Promise.race([joined.promise, Promise.all(workers)]);
  await stage.fillInto(topic, { messages, bytes: 256, headers: 7 });
  const worked = await Promise.all(workers);
  await stage.dropTopics(topic);
  const firstMs = Math.min(...worked.map((each) => each.firstMs ?? Infinity));
  const lastMs = Math.max(...worked.map((each) => each.lastMs ?? -Infinity));
  const sum = (of: (each: Worked) => number) => worked.reduce((all, each) => all + of(each), 0);
  const point = {
    processes,
    perSecond: messages / ((lastMs - firstMs) / 1_000),
    idealPerSecond,
    cpuUsPerMessage: sum(({ cpuUs }) => cpuUs) / messages,
    rssMbPerProcess: sum(({ rssBytes }) => rssBytes) / processes / 1024 ** 2,
  };
  stage.say(
    `  ${processes} processes: ${point.perSecond.toFixed(0)}/s of ${idealPerSecond}, ${point.cpuUsPerMessage.toFixed(0)} µs CPU a message`,
  );
  return point;
}
