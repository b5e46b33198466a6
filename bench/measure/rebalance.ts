/**
 * Does a member that joins and leaves hold up the partitions that do not move?
 *
 * In: a stage. Out: the longest time without a message on an unmoved partition while a third member starts, joins, and leaves,
 * over the longest in a window of the same length in which nothing happens; run by run. Each of 12 partitions gets a message
 * every 20 ms. Every message must come, in order; one may come twice where its partition moved.
 */
import { join } from "node:path";
import { partitionOf } from "../../runtime/bus/murmur2.ts";
import { openLibrary, Producer } from "../../runtime/kafka/index.ts";
import { type ChildOptions, withChild } from "../harness/child.ts";
import { measurement } from "../harness/measurement.ts";
import { runtimeEnvironment } from "../harness/runtime-environment.ts";
import { Sightings } from "../harness/sightings.ts";
import type { Stage } from "../harness/stage.ts";

const PARTITIONS = 12;
const EVERY_MS = 20;
const WINDOW_MS = 10_000;
const QUICK_WINDOW_MS = 6_000;
/** The share of the window after which the second member leaves. */
const STAYS_SHARE = 0.5;
/** Two rebalances of a heartbeat each are over then. */
const SETTLE_MS = 4_000;

/** Two members, so that partitions of the topic stay where they are, whatever becomes of its retry topic. */
export const rebalance = measurement(
  {
    name: "rebalance-gap",
    row: "longest gap on unmoved partitions while a member joins and leaves",
    reference: `longest gap on unmoved partitions during a join and a leave over the steady one, a message per ${EVERY_MS} ms`,
    unit: "ratio",
    better: "lower",
    must: 3,
    aim: 1.2,
  },
  async (stage) => {
    const databaseUrl = await stage.newDatabase();
    const pairs = [];
    for (let run = 0; run < stage.pairs; run++) pairs.push(await measureRun(stage, databaseUrl, run));
    return pairs;
  },
);

async function measureRun(stage: Stage, databaseUrl: string, run: number) {
  const windowMs = stage.quick ? QUICK_WINDOW_MS : WINDOW_MS;
  const from = await stage.newTopic(PARTITIONS);
  const name = `gap-${process.pid}-${run}`;
  const sightings = new Sightings();
  const member = (which: string, ready: () => void): ChildOptions => ({
    command: [process.execPath, join(import.meta.dir, "..", "runtime", "member.ts")],
    env: { ...runtimeEnvironment(stage, databaseUrl), RUN: name, NAME: name, FROM: from },
    onLine: (line) => (line === "ready" ? ready() : sightings.add(which, line)),
  });
  const feed = await startFeed(stage, from);
  const [firstReady, secondReady, thirdReady] = [signal(), signal(), signal()];
  const timeline = await withChild(member("first", firstReady.resolve), async () => {
    await firstReady.promise;
    return await withChild(member("second", secondReady.resolve), async () => {
      await secondReady.promise;
      await Bun.sleep(SETTLE_MS); // what follows a join is no steady state
      const steadyMs = wallMs();
      await Bun.sleep(windowMs); // the steady window
      const disturbedMs = wallMs();
      await withChild(member("third", thirdReady.resolve), async (third) => {
        await thirdReady.promise;
        await Bun.sleep(disturbedMs + windowMs * STAYS_SHARE - wallMs()); // its stay in the disturbed window
        await third.stop();
      });
      await Bun.sleep(disturbedMs + windowMs - wallMs());
      const sent = await feed.stop();
      await sightings.allOf(sent);
      return { steadyMs, disturbedMs, sent };
    });
  });
  await stage.dropTopics(from);
  const unmoved = sightings.unmovedSince(timeline.steadyMs);
  const steady = sightings.longestGapMs(unmoved, timeline.steadyMs, windowMs);
  const disturbed = sightings.longestGapMs(unmoved, timeline.disturbedMs, windowMs);
  const faults =
    sightings.faults(timeline.sent) + (unmoved.length === 0 || unmoved.length === PARTITIONS ? 1 : 0);
  stage.say(
    `  steady ${steady.toFixed(0)} ms, joining and leaving ${disturbed.toFixed(0)} ms, ${unmoved.length} partitions unmoved, ${faults} faults`,
  );
  return { value: disturbed / steady, faults };
}

/** Feeds every partition. @returns how many messages each key got, once stopped and acknowledged. */
async function startFeed(stage: Stage, topic: string) {
  const config = { "bootstrap.servers": stage.brokers };
  const producer = await Producer.open({ library: openLibrary(stage.library), config });
  const utf8 = new TextEncoder();
  const keys = Array.from({ length: PARTITIONS }, (_, partition) => {
    for (let at = 0; ; at++)
      if (partitionOf(utf8.encode(String(at)), PARTITIONS) === partition) return String(at);
  });
  let n = 0;
  const acknowledged: Promise<unknown>[] = [];
  const timer = setInterval(() => {
    const value = utf8.encode(JSON.stringify({ id: `m-${n}`, n, text: "x".repeat(200) }));
    n++;
    acknowledged.push(
      producer.produce(keys.map((key) => ({ topic, key: utf8.encode(key), value, headers: [] }))),
    );
  }, EVERY_MS);
  return {
    async stop(): Promise<ReadonlyMap<string, number>> {
      clearInterval(timer);
      await Promise.all(acknowledged);
      await producer.close();
      return new Map(keys.map((key) => [key, n]));
    },
  };
}

function signal() {
  return Promise.withResolvers<void>();
}

function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
