/**
 * A stage for the engine: a bus in memory, a store in memory, consumers that are stopped when the test ends.
 */
import { afterEach } from "bun:test";
import * as v from "valibot";
import type { OutgoingRecord } from "../../runtime/bus/bus.ts";
import { MemoryBroker } from "../../runtime/bus/memory-broker.ts";
import { MemoryBus } from "../../runtime/bus/memory.ts";
import type { ConsumerOptions } from "../../runtime/engine/consumer-options.ts";
import { startConsumer, type Consumer } from "../../runtime/engine/consumer.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import type { Settled } from "../../runtime/engine/outcome.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import type { Handler } from "../../runtime/handler/handler.ts";
import { topic } from "../../runtime/handler/topic.ts";
import type { CauceError } from "../../runtime/ground/errors.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import type { DeadLetter, ScheduledMessage } from "../../runtime/store/store.ts";

export const Numbered = v.looseObject({ id: v.string(), n: v.number() });
export const numbers = topic("numbers", { schema: Numbered, key: (value) => value.id, partitions: 3 });
export const doubled = topic("doubled", { schema: Numbered, key: (value) => value.id, partitions: 3 });

/** What was written, and a switch that makes writing fail. */
export class RecordingStore {
  readonly scheduled: ScheduledMessage[] = [];
  readonly buried: DeadLetter[] = [];
  /** Of each call that wrote rows: did it give way? */
  readonly gaveWay: boolean[] = [];
  readonly #others = createMemoryStore({ clock: systemClock });
  readonly fences = this.#others.fences;
  readonly turns = this.#others.turns;
  fail: (() => CauceError | null) | null = null;

  async schedule(
    messages: readonly ScheduledMessage[],
    { giveWay = false }: { readonly giveWay?: boolean } = {},
  ): Promise<number> {
    await Promise.resolve();
    const failure = this.fail?.();
    if (failure) throw failure;
    this.scheduled.push(...messages);
    this.gaveWay.push(giveWay);
    return messages.length;
  }

  onResume(handler: string, call: () => void): () => void {
    return this.#others.onResume(handler, call);
  }

  resume(handler: string): Promise<void> {
    return this.#others.resume(handler);
  }

  async bury(letters: readonly DeadLetter[]): Promise<number> {
    await Promise.resolve();
    const failure = this.fail?.();
    if (failure) throw failure;
    this.buried.push(...letters);
    return letters.length;
  }
}

const open: { stop(deadlineMs: number): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((consumer) => consumer.stop(1_000)));
});

export interface Stage {
  readonly broker: MemoryBroker;
  readonly bus: MemoryBus;
  readonly store: RecordingStore;
  readonly consumer: Consumer;
  /** Resolves once so many messages were settled. */
  readonly settled: (count: number) => Promise<readonly Settled[]>;
  readonly send: (value: { id: string; n: number }) => Promise<void>;
  readonly sendBytes: (bytes: Uint8Array | null) => Promise<void>;
}

/** Starts a consumer for a handler on `numbers`. Several stages may share a broker. */
export async function stage(
  handler: Handler,
  options: Partial<ConsumerOptions> & {
    broker?: MemoryBroker;
    store?: RecordingStore;
    /** As a broker's `offset.metadata.max.bytes`. */
    longestMetadata?: number;
  } = {},
): Promise<Stage> {
  const broker = options.broker ?? new MemoryBroker();
  if (options.longestMetadata !== undefined) broker.longestMetadata = options.longestMetadata;
  const bus = new MemoryBus({ broker });
  const store = options.store ?? new RecordingStore();
  const names = namesFor("test", handler);
  for (const name of [numbers.name, doubled.name, names.retryTopic]) broker.ensure(name, 3);
  broker.ensure(names.deadLetterTopic, 1);
  const outcomes: Settled[] = [];
  const waiting = new Set<() => void>();
  const consumer = await startConsumer({
    handler,
    names,
    deps: {},
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    ...options,
    bus,
    store,
    settled: (processed, outcome, elapsedMs) => {
      options.settled?.(processed, outcome, elapsedMs);
      outcomes.push(outcome);
      for (const call of waiting) call();
    },
  });
  open.push(consumer);
  // Whoever sends has a bus of its own: what fails on ours is the handler's.
  const append = async (record: Pick<OutgoingRecord, "key" | "value">) => {
    broker.append({ topic: numbers.name, headers: [], ...record }, Date.now());
    await Promise.resolve();
  };
  return {
    broker,
    bus,
    store,
    consumer,
    settled: (count) =>
      new Promise((resolve) => {
        const check = () => {
          if (outcomes.length < count) return;
          waiting.delete(check);
          resolve(outcomes);
        };
        waiting.add(check);
        check();
      }),
    send: async (value) => {
      const bytes = new TextEncoder().encode(JSON.stringify(value));
      await append({ key: new TextEncoder().encode(value.id), value: bytes });
    },
    sendBytes: async (bytes) => {
      await append({ key: null, value: bytes });
    },
  };
}

/** Resolves once it holds, looked at on every turn of the loop: for what the memory broker does without telling. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Committed offsets of the test's group, summed over partitions. */
export function committedTotal(broker: MemoryBroker, handler: Handler): number {
  return [...broker.committed(`test.${handler.name}`).values()].reduce((sum, offset) => sum + offset, 0);
}
