/**
 * A process of its own that consumes and is killed: `bun killed-worker.ts BROKERS TOPIC MODE`.
 *
 * In MODE `stuck` the message 0 never ends; in `free` it does. Says each run, each acknowledged commit and each skip on
 * standard output, a JSON line each.
 */
import { handler, systemClock, topic } from "cauce";
import * as v from "valibot";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import type { Bus } from "../../runtime/bus/bus.ts";
import { readFinishedAbove } from "../../runtime/engine/commit-metadata.ts";
import { startConsumer } from "../../runtime/engine/consumer.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { testLibrary } from "../kafka/library.ts";

const [, , brokers = "", name = "", mode = ""] = process.argv;
const say = (line: unknown) => void process.stdout.write(`${JSON.stringify(line)}\n`);
const numbers = topic(name, { schema: v.object({ n: v.number() }), partitions: 1 });
const counting = handler({
  name: "counting",
  on: numbers,
  order: { by: "none" },
  concurrency: 16,
  async handle({ value }) {
    say({ run: value.n });
    if (value.n === 0 && mode === "stuck") await new Promise(() => undefined);
  },
});
const real = await createKafkaBus({
  library: await testLibrary(),
  brokers,
  clientId: "killed",
  consumerConfig: { "session.timeout.ms": 6_000 },
});
/** The bus, with commits that are told once the broker has acknowledged them. */
const bus: Bus = {
  description: real.description,
  connected: true,
  ensureTopics: (plans) => real.ensureTopics(plans),
  publish: (records) => real.publish(records),
  backlog: (groups) => real.backlog(groups),
  close: () => real.close(),
  async subscribe(options) {
    const lives = new Map<string, string>();
    const subscription = await real.subscribe({
      ...options,
      ownership: {
        assigned(partitions) {
          for (const { topic: of, life = "" } of partitions) lives.set(of, life);
          options.ownership.assigned(partitions);
        },
        revoked: (partitions) => options.ownership.revoked(partitions),
        lost: (partitions) => options.ownership.lost(partitions),
        troubled: (trouble) => options.ownership.troubled(trouble),
      },
    });
    return {
      take: (most) => subscription.take(most),
      pause: (partitions) => subscription.pause(partitions),
      resume: (partitions) => subscription.resume(partitions),
      lag: () => subscription.lag(),
      get ready() {
        return subscription.ready;
      },
      transactions: (id) => subscription.transactions(id),
      close: () => subscription.close(),
      async commit(offsets) {
        await subscription.commit(offsets);
        for (const { topic: of, offset, metadata = "" } of offsets) {
          const above = readFinishedAbove(metadata, { offset, life: lives.get(of) ?? "" });
          say({ committed: offset, above });
        }
      },
    };
  },
};
const names = namesFor("killed", counting);
await bus.ensureTopics(
  [numbers.name, names.retryTopic].map((one) => ({ name: one, partitions: 1, provision: "create" })),
);
const consumer = await startConsumer({
  handler: counting,
  names,
  deps: {},
  bus,
  store: createMemoryStore({ clock: systemClock }),
  clock: systemClock,
  random: Math.random,
  log: silentLog,
  settled: () => say({ skipped: consumer.state.skipped }),
});
say({ started: true });
