/**
 * A retry storm: a handler whose every message meets a rate limit, beside one that has nothing to do with it.
 *
 * In: a real broker and Postgres. Out: a case. The storm goes on until all of its messages wait as rows, then the limit is lifted.
 * Never here: what a process on other cores would measure; both handlers, the senders and the scheduler share one.
 */
import { handler, pause, systemClock, topic } from "cauce";
import * as v from "valibot";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { createClient } from "../../runtime/engine/client.ts";
import { startConsumer, type Consumer } from "../../runtime/engine/consumer.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { scheduledTopics, topicPlans } from "../../runtime/main/topic-plans.ts";
import { startScheduler } from "../../runtime/scheduler/scheduler.ts";
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import { testLibrary } from "../kafka/library.ts";
import { eventually } from "../system/stage.ts";
import { type FaultCase, type Services, verdictOf } from "./case.ts";
import type { RunVerdict } from "./run.ts";

const MESSAGES = 20_000;
const BURST = 1_000;
/** Of the calm topic, one every so often, for so long before the storm. */
const CALM_EVERY_MS = 10;
const BEFORE_MS = 5_000;
const MOST_SLOWER = 2;
/** Two latencies below this are the same: one turn of a busy loop. */
const LEAST_LATENCY_MS = 5;
const THROUGH_WITHIN_MS = 90_000;

async function storm({ brokers, databaseUrl }: Services): Promise<RunVerdict> {
  const app = `storm-${crypto.randomUUID().slice(0, 8)}`;
  const Value = v.object({ n: v.number(), sentMs: v.number() });
  const limited = topic(`${app}.limited`, { schema: Value, partitions: 6 });
  const calm = topic(`${app}.calm`, { schema: Value, partitions: 6 });
  let limit = true;
  const failures = new Map<number, number>();
  const done = new Map<number, number>();
  let latenciesMs: number[] = [];
  const limitedHandler = handler({
    name: "limited",
    on: limited,
    order: { by: "none" },
    concurrency: 256,
    retry: [[Error, { delay: "exponential", base: "1s", cap: "8s", burns: false }]],
    handle({ value: { n } }) {
      const counts = limit ? failures : done;
      counts.set(n, (counts.get(n) ?? 0) + 1);
      if (limit) throw new Error("429");
    },
  });
  const calmHandler = handler({
    name: "calm",
    on: calm,
    handle({ value: { sentMs } }) {
      latenciesMs.push(performance.now() - sentMs);
    },
  });
  const handlers = [limitedHandler, calmHandler];
  const store = await createPostgresStore({ url: databaseUrl, app });
  const bus = await createKafkaBus({ library: await testLibrary(), brokers, clientId: app });
  const consumers: Consumer[] = [];
  const over = new AbortController();
  await bus.ensureTopics(topicPlans(app, handlers));
  const topics = scheduledTopics(app, handlers);
  const publish: typeof bus.publish = (records) => bus.publish(records);
  const scheduler = startScheduler({ store, publish, topics: [...topics.keys()], declared: { app, topics } });
  try {
    for (const one of handlers) {
      const common = { deps: {}, bus, store, clock: systemClock, random: Math.random, log: silentLog };
      consumers.push(await startConsumer({ handler: one, names: namesFor(app, one), ...common }));
    }
    const client = createClient({ app, bus, store, clock: systemClock, ready: () => true });
    const calmLoad = (async () => {
      for (let n = 0; !over.signal.aborted; n++) {
        void client.send(calm, { n, sentMs: performance.now() });
        await pause(systemClock, CALM_EVERY_MS, over.signal);
      }
    })();
    await eventually("the calm handler runs", () => latenciesMs.length > 50);
    latenciesMs = [];
    await Bun.sleep(BEFORE_MS);
    const before = medianOf(latenciesMs);
    latenciesMs = [];
    for (let n = 0; n < MESSAGES; n += BURST) {
      const burst = Array.from({ length: BURST }, (_, more) => ({ n: n + more, sentMs: 0 }));
      await Promise.all(burst.map((value) => client.send(limited, value)));
    }
    await within("every message has met the limit twice", () => {
      return failures.size === MESSAGES && [...failures.values()].every((times) => times > 1);
    });
    const during = medianOf(latenciesMs);
    limit = false;
    await within("the storm is through", () => done.size === MESSAGES);
    await within("the schedule is empty", async () => (await store.nextDueMs([...topics.keys()])) === null);
    over.abort();
    await calmLoad;
    const complaints: string[] = [];
    const slower = during / Math.max(before, LEAST_LATENCY_MS);
    if (slower > MOST_SLOWER) {
      complaints.push(`the calm handler's median went from ${before.toFixed(1)} to ${during.toFixed(1)} ms`);
    }
    const repeats = [...done.values()].reduce((all, times) => all + times - 1, 0);
    if (repeats > 0) complaints.push(`${repeats} were done more than once`);
    return verdictOf({ successes: MESSAGES, complaints });
  } finally {
    over.abort();
    await scheduler.stop(1_000);
    await Promise.all(consumers.map((consumer) => consumer.stop(1_000)));
    await Promise.all([bus.close(1_000), store.close()]);
  }
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Infinity;
}

async function within(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + THROUGH_WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`waited in vain: ${what}`);
    await Bun.sleep(100);
  }
}

export const stormCases: readonly FaultCase[] = [
  {
    number: 31,
    title: `a retry storm: ${MESSAGES.toLocaleString("en")} messages meet a rate limit again and again`,
    expected: "the main path's median at most 2 times as long; drained after; each done once",
    quick: false,
    run: storm,
  },
];
