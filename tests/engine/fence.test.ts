/** `whileRetrying: "hold"`: a key's later messages wait behind one that waits for its retry, also when owners change. */
import { afterEach, expect, test } from "bun:test";
import { GiveUp, handler, type Handler, type Message } from "../../runtime/index.ts";
import { MemoryBroker } from "../../runtime/bus/memory-broker.ts";
import { MemoryBus } from "../../runtime/bus/memory.ts";
import { startConsumer, type Consumer } from "../../runtime/engine/consumer.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { startScheduler } from "../../runtime/scheduler/scheduler.ts";
import { createMemoryStore, type MemoryStore } from "../../runtime/store/memory.ts";
import { numbers, until } from "./stage.ts";

const open: { stop(deadlineMs: number): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.stop(1_000);
});

/** Notes each run as `id#attempt`, and fails where it is told to. */
function noting(fails: (message: Message<typeof numbers>) => Error | null): {
  readonly runs: string[];
  readonly handler: Handler;
} {
  const runs: string[] = [];
  return {
    runs,
    handler: handler({
      name: "holding",
      on: numbers,
      order: { by: "key", whileRetrying: "hold" },
      retry: [[Error, { attempts: 5, delay: "constant", base: "20ms", jitter: 0 }]],
      handle(message) {
        runs.push(`${message.value.id}${message.value.n}#${message.attempt}`);
        const error = fails(message);
        if (error !== null) throw error;
      },
    }),
  };
}

class Stage {
  readonly broker = new MemoryBroker();
  readonly store: MemoryStore = createMemoryStore({ clock: systemClock });
  /** Of what is sent; 1 is not said. */
  schemaVersion = 1;
  readonly #bus = new MemoryBus({ broker: this.broker });
  readonly #handler: Handler;

  constructor(tested: Handler) {
    this.#handler = tested;
    const names = namesFor("test", tested);
    for (const name of [numbers.name, names.retryTopic]) this.broker.ensure(name, 3);
    this.broker.ensure(names.deadLetterTopic, 1);
    open.push(
      startScheduler({
        store: this.store,
        publish: (records) => this.#bus.publish(records),
        topics: [names.retryTopic],
        clock: systemClock,
      }),
    );
  }

  async consume(): Promise<Consumer> {
    const consumer = await startConsumer({
      handler: this.#handler,
      names: namesFor("test", this.#handler),
      deps: {},
      bus: new MemoryBus({ broker: this.broker }),
      store: this.store,
      clock: systemClock,
      random: Math.random,
      log: silentLog,
    });
    open.push(consumer);
    return consumer;
  }

  /** Numbers of one key, in order. */
  async send(id: string, ...all: readonly number[]): Promise<void> {
    const utf8 = new TextEncoder();
    await this.#bus.publish(
      all.map((n) => ({
        topic: numbers.name,
        key: utf8.encode(id),
        value: utf8.encode(JSON.stringify({ id, n })),
        headers: [
          ["ce_id", utf8.encode(`${id}${n}`)],
          ...(this.schemaVersion > 1
            ? [["cauce_schema", utf8.encode(`${this.schemaVersion}`)] as const]
            : []),
        ],
      })),
    );
  }
}

test("later messages of a key wait until the one that failed is done, and keep their order", async () => {
  const { runs, handler: tested } = noting(({ value, attempt }) =>
    value.id === "a" && value.n === 2 && attempt < 3 ? new Error("not yet") : null,
  );
  const stage = new Stage(tested);
  const consumer = await stage.consume();
  await stage.send("a", 1, 2, 3, 4, 5);
  await until(() => runs.includes("a5#1"));
  expect(runs).toEqual(["a1#1", "a2#1", "a2#2", "a2#3", "a3#1", "a4#1", "a5#1"]);
  await until(() => consumer.state.fencedKeys === 1 && stage.store.fences.held.length === 0);
  // What comes after the fence fell runs at once, and the key is forgotten then.
  await stage.send("a", 6);
  await until(() => runs.includes("a6#1") && consumer.state.fencedKeys === 0);
});

test("other keys go on meanwhile", async () => {
  const { runs, handler: tested } = noting(({ value, attempt }) =>
    value.id === "a" && attempt < 5 ? new Error("not yet") : null,
  );
  const stage = new Stage(tested);
  await stage.consume();
  await stage.send("a", 1);
  await until(() => runs.includes("a1#1"));
  await stage.send("b", 1, 2, 3);
  await until(() => runs.includes("b3#1"));
  expect(runs).not.toContain("a1#5");
  await until(() => runs.includes("a1#5"));
});

test("a held message that fails holds those behind it in its turn", async () => {
  const { runs, handler: tested } = noting(({ value, attempt }) =>
    attempt < 2 && (value.n === 1 || value.n === 3) ? new Error("not yet") : null,
  );
  const stage = new Stage(tested);
  await stage.consume();
  await stage.send("a", 1, 2, 3, 4, 5);
  await until(() => runs.includes("a5#1"));
  expect(runs).toEqual(["a1#1", "a1#2", "a2#1", "a3#1", "a3#2", "a4#1", "a5#1"]);
});

test("one that dies lets the next one go", async () => {
  const { runs, handler: tested } = noting(({ value, attempt }) => {
    if (value.n !== 1) return null;
    return attempt < 2 ? new Error("not yet") : new GiveUp("never");
  });
  const stage = new Stage(tested);
  await stage.consume();
  await stage.send("a", 1, 2);
  await until(() => runs.includes("a2#1"));
  expect(runs).toEqual(["a1#1", "a1#2", "a2#1"]);
  const [letter] = stage.store.deadLetters;
  expect(letter?.messageId).toBe("a1");
  expect(letter?.record.headers.map(([name]) => name)).not.toContain("cauce_place");
});

test("one of a newer schema version is held with its version", async () => {
  const { handler: tested } = noting(() => new Error("never"));
  const slow = { ...tested, retry: [[Error, { attempts: 5, delay: "constant", base: "1h" }]] } as Handler;
  const stage = new Stage(slow);
  await stage.consume();
  await stage.send("a", 1);
  await until(() => stage.store.waiting.length === 1);
  stage.schemaVersion = 2;
  await stage.send("a", 2);
  await until(() => stage.store.fences.held.length === 2);
  expect(stage.store.fences.held.map(({ message }) => message.version)).toEqual([undefined, 2]);
});

test("one that is cancelled lets the next one go", async () => {
  const { runs, handler: tested } = noting(({ value }) => (value.n === 1 ? new Error("never") : null));
  const slow = { ...tested, retry: [[Error, { attempts: 5, delay: "constant", base: "1h" }]] } as Handler;
  const stage = new Stage(slow);
  await stage.consume();
  await stage.send("a", 1, 2);
  await until(() => stage.store.fences.held.length === 2);
  const [waiting] = stage.store.waiting;
  expect(stage.store.cancel(waiting?.row ?? 0n)).toBe(true);
  await until(() => runs.includes("a2#1"));
});

test("a new owner of the key knows of its fence before it runs anything of it", async () => {
  const { runs, handler: tested } = noting(({ value, attempt }) =>
    value.n === 1 && attempt < 3 ? new Error("not yet") : null,
  );
  const stage = new Stage(tested);
  const first = await stage.consume();
  await stage.send("a", 1);
  await until(() => runs.length > 0);
  await first.stop(1_000);
  await stage.send("a", 2, 3);
  await stage.consume();
  await until(() => runs.includes("a3#1"));
  expect(runs).toEqual(["a1#1", "a1#2", "a1#3", "a2#1", "a3#1"]);
});

test("order holds with several owners, rebalances and failures by chance", async () => {
  let chance = 7;
  const random = () => (chance = (chance * 48_271) % 2_147_483_647) / 2_147_483_647;
  const { runs, handler: tested } = noting(({ attempt }) =>
    attempt < 4 && random() < 0.2 ? new Error("by chance") : null,
  );
  const stage = new Stage(tested);
  await stage.consume();
  const keys = ["a", "b", "c", "d"];
  const done = () => keys.every((key) => runs.some((run) => run.startsWith(`${key}40#`)));
  for (let n = 1; n <= 40; n++) {
    await Promise.all(keys.map((key) => stage.send(key, n)));
    if (n === 10 || n === 30) await stage.consume();
    if (n === 20) await open.pop()?.stop(1_000);
  }
  await until(() => done() && stage.store.fences.held.length === 0);
  for (const key of keys) {
    const order = runs.filter((run) => run.startsWith(key)).map((run) => Number(/\d+/.exec(run)?.[0]));
    expect(order).toEqual(order.toSorted((one, two) => one - two));
    expect(new Set(order).size).toBe(40);
  }
});

test("a healthy message costs no query", async () => {
  const { runs, handler: tested } = noting(() => null);
  const stage = new Stage(tested);
  let queries = 0;
  const { fences } = stage.store;
  const counted = <Asked extends readonly unknown[], Answer>(call: (...asked: Asked) => Answer) => {
    return (...asked: Asked) => (queries++, call(...asked));
  };
  fences.hold = counted(fences.hold.bind(fences));
  fences.takeTurn = counted(fences.takeTurn.bind(fences));
  fences.pass = counted(fences.pass.bind(fences));
  fences.raise = counted(fences.raise.bind(fences));
  await stage.consume();
  await stage.send("a", ...Array.from({ length: 100 }, (_, n) => n));
  await until(() => runs.length === 100);
  expect(queries).toBe(0);
});
