/**
 * A retry storm: a handler whose every message meets a rate limit, beside one that has nothing to do with it.
 *
 * In: a real broker and Postgres. Out: what was seen. The storm goes on until each of its messages has met the limit twice, then the
 * limit is lifted. Both handlers and the scheduler share one process; the calm one's messages come from another. Never here: verdicts
 * (storm-case.ts, bench/scheduler/storm.ts).
 */
import { join } from "node:path";
import { handler, systemClock, topic } from "cauce";
import * as v from "valibot";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { recordOf } from "../../runtime/engine/emit.ts";
import { startConsumer, type Consumer } from "../../runtime/engine/consumer.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { Neighbours } from "../../runtime/engine/neighbours.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { openLibrary } from "../../runtime/kafka/index.ts";
import { scheduledTopics, topicPlans } from "../../runtime/main/topic-plans.ts";
import { CALM_EVERY_MS, type CalmWork } from "./calm-sender.ts";
import { startScheduler } from "../../runtime/scheduler/scheduler.ts";
import { createPostgresStore } from "../../runtime/store/postgres.ts";

export interface StormOptions {
  readonly brokers: string;
  readonly databaseUrl: string;
  /** Path of librdkafka. */
  readonly library: string;
  readonly messages: number;
  /** How long the calm handler is watched before the storm. */
  readonly beforeMs: number;
}

export interface StormSeen {
  /** From when they were due to be sent until they were handled: the calm handler's messages, in ms. */
  readonly before: readonly number[];
  readonly during: readonly number[];
  /** Messages that were done more than once after the limit was lifted. */
  readonly repeats: number;
  /** The largest number of rows that one call handed to the store. */
  readonly largestInsert: number;
  /** How long each retry was to wait after the first failure, in ms. */
  readonly firstDelaysMs: readonly number[];
  /** Failures that became rows, per second of the storm. */
  readonly scheduledPerSecond: number;
}

const BURST = 1_000;
const THROUGH_WITHIN_MS = 90_000;

/** Resolves once the storm is through and the schedule is empty; rejects where it is not after 90 s. */
export async function runStorm(options: StormOptions): Promise<StormSeen> {
  const { brokers, databaseUrl, library, messages, beforeMs } = options;
  const app = `storm-${crypto.randomUUID().slice(0, 8)}`;
  const Value = v.object({ n: v.number(), dueMs: v.number() });
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
    handle({ value: { dueMs } }) {
      latenciesMs.push(performance.timeOrigin + performance.now() - dueMs);
    },
  });
  const handlers = [limitedHandler, calmHandler];
  const store = await createPostgresStore({ url: databaseUrl, app });
  let largestInsert = 0;
  let scheduled = 0;
  const firstDelaysMs: number[] = [];
  const watched = {
    fences: store.fences,
    turns: store.turns,
    bury: store.bury.bind(store),
    onResume: store.onResume.bind(store),
    schedule: async (...[rows, manner]: Parameters<typeof store.schedule>) => {
      largestInsert = Math.max(largestInsert, rows.length);
      for (const { deferrals, delayMs } of rows) if (deferrals === 1) firstDelaysMs.push(delayMs);
      scheduled += rows.length;
      return store.schedule(rows, manner);
    },
  };
  const bus = await createKafkaBus({ library: openLibrary(library), brokers, clientId: app });
  const consumers: Consumer[] = [];
  await bus.ensureTopics(topicPlans(app, handlers));
  const topics = scheduledTopics(app, handlers);
  const publish: typeof bus.publish = (records) => bus.publish(records);
  const scheduler = startScheduler({ store, publish, topics: [...topics.keys()], declared: { app, topics } });
  const neighbours = new Neighbours(systemClock);
  const start = async (one: (typeof handlers)[number]) => {
    const common = {
      deps: {},
      bus,
      store: watched,
      clock: systemClock,
      random: Math.random,
      log: silentLog,
      neighbours,
    };
    consumers.push(await startConsumer({ handler: one, names: namesFor(app, one), ...common }));
  };
  let sender: ReturnType<typeof startSender> | null = null;
  try {
    for (let n = 0; n < messages; n += BURST) {
      const burst = Array.from({ length: Math.min(BURST, messages - n) }, async (_, more) =>
        recordOf(
          limited,
          { n: n + more, dueMs: 0 },
          { id: `m-${n + more}`, source: `/${app}`, bornAtMs: Date.now(), traceparent: null },
        ),
      );
      await bus.publish(await Promise.all(burst));
    }
    await start(calmHandler);
    sender = startSender({ brokers, library, topic: calm.name });
    const seenEnough = beforeMs / CALM_EVERY_MS / 2;
    await within("the calm handler runs", () => latenciesMs.length > 50);
    latenciesMs = [];
    await within("the calm handler has shown its latency", () => latenciesMs.length > seenEnough);
    const before = latenciesMs;
    await start(limitedHandler);
    await within("the storm begins", () => failures.size > 0);
    latenciesMs = [];
    const startedMs = performance.now();
    await within("every message has met the limit twice", () => {
      return failures.size === messages && [...failures.values()].every((times) => times > 1);
    });
    const during = latenciesMs;
    const scheduledPerSecond = scheduled / ((performance.now() - startedMs) / 1_000);
    limit = false;
    await within("the storm is through", () => done.size === messages);
    await within("the schedule is empty", async () => (await store.nextDueMs([...topics.keys()])) === null);
    const repeats = [...done.values()].reduce((all, times) => all + times - 1, 0);
    return { before, during, repeats, largestInsert, firstDelaysMs, scheduledPerSecond };
  } finally {
    await sender?.stop();
    await scheduler.stop(1_000);
    await Promise.all(consumers.map((consumer) => consumer.stop(1_000)));
    await Promise.all([bus.close(1_000), store.close()]);
  }
}

/** In a process of its own: what keeps ours busy must not keep it from sending. */
function startSender(work: CalmWork) {
  const file = join(import.meta.dir, "calm-sender.ts");
  const child = Bun.spawn([process.execPath, file, JSON.stringify(work)], {
    stdin: "pipe",
    stdout: "inherit",
    stderr: "inherit",
  });
  return {
    async stop() {
      await child.stdin.end();
      await child.exited;
    },
  };
}

async function within(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + THROUGH_WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`waited in vain: ${what}`);
    await Bun.sleep(100);
  }
}
