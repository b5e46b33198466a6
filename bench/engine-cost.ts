/**
 * What the engine costs a message without Kafka: records that lie ready, a bus that acknowledges after a while.
 *
 * `bun bench/engine-cost.ts [--messages N] [--ack-ms N] [--order key|none]`; ends with one JSON line, µs of CPU a message after the first
 * third. What is not acknowledged is alive, and the collector works for what is alive: `--ack-ms 10` shows its share. Quicker and
 * steadier than `bench/profile.ts`, for changes of the engine. Never here: a comparison (measure/json-hop.ts).
 */
import { parseArgs } from "node:util";
import { CauceError, handler, systemClock, topic } from "cauce";
import type { Bus, IncomingRecord, Subscription } from "../runtime/bus/bus.ts";
import { startConsumer } from "../runtime/engine/consumer.ts";
import { namesFor } from "../runtime/engine/names.ts";
import { silentLog } from "../runtime/ground/log.ts";
import { createMemoryStore } from "../runtime/store/memory.ts";
import { Numbered, step } from "./json-hop/hop.ts";

const PARTITIONS = 4;
/** Records of one partition that come in a row. */
const IN_A_ROW = 80;
/** Texts that are used again and again. */
const TEXTS = 8_192;

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "1500000" },
    "ack-ms": { type: "string", default: "0" },
    order: { type: "string", default: "key" },
  },
});
const messages = Number(values.messages);
const ackMs = Number(values["ack-ms"]);
const warm = Math.floor(messages / 3);

const utf8 = new TextEncoder();
const texts = Array.from({ length: TEXTS }, (_, n) => {
  const id = `m-${String(n).padStart(8, "0")}`;
  return { id, key: id.slice(2), value: JSON.stringify({ id, n, text: "x".repeat(190) }) };
});
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const HEADERS = ["2026-01-01T00:00:00.000Z", TRACE, undefined, undefined, undefined, undefined, undefined];

/** As a fetched batch has it: everything is made when it is asked for. */
class ReadyRecord implements IncomingRecord {
  readonly topic = "from";
  readonly timestampMs = 0;
  readonly headers = [];
  readonly partition: number;
  readonly offset: number;
  readonly #text: (typeof texts)[number];

  constructor(partition: number, offset: number, text: (typeof texts)[number]) {
    this.partition = partition;
    this.offset = offset;
    this.#text = text;
  }

  get key() {
    return utf8.encode(this.#text.key);
  }
  get value() {
    return utf8.encode(this.#text.value);
  }
  get bodyBytes() {
    return this.#text.key.length + this.#text.value.length;
  }
  keyText() {
    return this.#text.key;
  }
  valueText() {
    return this.#text.value;
  }
  headerTexts() {
    return [this.#text.id, ...HEADERS];
  }
  letGo() {}
}

let made = 0;
const ends = new Map<number, number>();
function readyRecords(most: number): IncomingRecord[] {
  return Array.from({ length: Math.min(most, messages - made) }, () => {
    const partition = Math.floor(made / IN_A_ROW) % PARTITIONS;
    const offset = ends.get(partition) ?? 0;
    ends.set(partition, offset + 1);
    return new ReadyRecord(partition, offset, texts[made++ % TEXTS] ?? { id: "", key: "", value: "" });
  });
}

const over = Promise.withResolvers<IncomingRecord[]>();
const subscription: Subscription = {
  ready: true,
  take: async (most) => (made < messages ? readyRecords(most) : await over.promise),
  pause: () => {},
  resume: () => {},
  commit: () => Promise.resolve(),
  lag: () => [],
  transactions: () => {
    throw new CauceError("defect", "nothing here is exactly once");
  },
  close: () => Promise.resolve(over.resolve([])),
};
const bus: Bus = {
  description: "records that lie ready",
  connected: true,
  ensureTopics: () => Promise.resolve([]),
  publish: () => {
    const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<Bus["publish"]>>>();
    const acknowledge = () => resolve([]); // nobody asks where they lie
    if (ackMs > 0) setTimeout(acknowledge, ackMs);
    else setImmediate(acknowledge);
    return promise;
  },
  subscribe: async ({ ownership }) => {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: "from", partition }));
    queueMicrotask(() => ownership.assigned(partitions));
    return await Promise.resolve(subscription);
  },
  backlog: () => Promise.resolve([]),
  close: () => Promise.resolve(),
};

const next = topic("next", { schema: Numbered, key: ({ id }) => id.slice(2) });
const hop = handler({
  name: "hop",
  on: topic("from", { schema: Numbered }),
  out: { next },
  order: values.order === "none" ? { by: "none" } : { by: "key", whileRetrying: "skip" },
  concurrency: 1_000,
  handle: ({ value }, { out }) => out.next(step(value)),
});
let settled = 0;
let cpu = process.cpuUsage();
const all = Promise.withResolvers<void>();
const consumer = await startConsumer({
  handler: hop,
  names: namesFor("bench", hop),
  deps: {},
  clock: systemClock,
  random: Math.random,
  log: silentLog,
  bus,
  store: createMemoryStore({ clock: systemClock }),
  settled: () => {
    settled++;
    if (settled === warm) cpu = process.cpuUsage();
    if (settled === messages) all.resolve();
  },
});
await all.promise;
const { user, system } = process.cpuUsage(cpu);
await consumer.stop(1_000);
const cpuUs = Number(((user + system) / (messages - warm)).toFixed(2));
process.stdout.write(`${JSON.stringify({ messages, ackMs, order: values.order, cpuUs })}\n`);
process.exit(0);
