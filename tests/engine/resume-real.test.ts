/** What a `kill -9` repeats on a real Apache Kafka, and how a topic that was made anew is told apart. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import type { Run } from "../../runtime/engine/frontier.ts";
import { Admin, ERROR, type Library } from "../../runtime/kafka/index.ts";
import { bytes, join as joinGroup } from "../bus/owner.ts";
import { testLibrary } from "../kafka/library.ts";
import { type KafkaBroker, sharedKafka } from "../services/kafka.ts";

const TIMEOUT_MS = 90_000;
const MESSAGES = 1_001;

let library: Library;
let kafka: KafkaBroker;
let admin: Admin;
beforeAll(async () => {
  [library, kafka] = await Promise.all([testLibrary(), sharedKafka()]);
  admin = await Admin.open({ library, config: { "bootstrap.servers": kafka.brokers } });
}, 180_000);
afterAll(() => admin.close());

interface Said {
  readonly run?: number;
  readonly committed?: number;
  readonly above?: readonly Run[];
  readonly skipped?: number;
}

/** Starts a worker; `until` reads what it says up to the first line that fits, and answers all lines so far. */
function startWorker(topic: string, mode: "stuck" | "free") {
  const worker = Bun.spawn(
    [process.execPath, join(import.meta.dir, "killed-worker.ts"), kafka.brokers, topic, mode],
    { stdout: "pipe", stderr: "inherit" },
  );
  const lines: Said[] = [];
  const reader = worker.stdout.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  return {
    lines,
    kill: async () => {
      worker.kill("SIGKILL");
      await worker.exited;
    },
    async until(fits: (line: Said) => boolean): Promise<void> {
      while (!lines.some(fits)) {
        const { done, value } = await reader.read();
        if (done) throw new Error("the worker ended");
        const texts = (rest + decoder.decode(value, { stream: true })).split("\n");
        rest = texts.pop() ?? "";
        lines.push(...texts.map((text): Said => JSON.parse(text)));
      }
    },
  };
}

const runsOf = (lines: readonly Said[]) => lines.flatMap(({ run }) => (run === undefined ? [] : [run]));

test(
  "kill -9 with 1,000 finished messages above a slow one repeats only what no acknowledged commit covered",
  async () => {
    const topic = `killed-${crypto.randomUUID()}`;
    const bus = await createKafkaBus({ library, brokers: kafka.brokers, clientId: "killer" });
    await bus.ensureTopics([{ name: topic, partitions: 1, provision: "create" }]);
    const records = Array.from({ length: MESSAGES }, (_, n) => ({
      topic,
      key: null,
      value: bytes(JSON.stringify({ n })),
      headers: [],
    }));
    await bus.publish(records.slice(0, 1_000));
    const first = startWorker(topic, "stuck");
    let second: ReturnType<typeof startWorker> | null = null;
    try {
      await first.until(({ above }) => above?.at(-1)?.to === 1_000);
      // One more that runs after the last commit, and is killed before the next one with luck: it may be repeated.
      await bus.publish(records.slice(1_000));
      await first.until(({ run }) => run === 1_000);
      await first.kill();
      const covered = new Set(
        first.lines
          .findLast(({ above }) => above !== undefined)
          ?.above?.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at)),
      );
      expect(covered.size).toBeGreaterThanOrEqual(999);
      second = startWorker(topic, "free");
      await second.until(({ committed }) => committed === MESSAGES);
      const repeated = runsOf(second.lines);
      expect(repeated.filter((n) => covered.has(n))).toEqual([]);
      expect(repeated).toContain(0);
      expect(new Set([...runsOf(first.lines), ...repeated]).size).toBe(MESSAGES);
    } finally {
      await Promise.all([first.kill(), second?.kill(), bus.close()]);
    }
  },
  TIMEOUT_MS,
);

test(
  "a topic that was deleted and made anew has another life, and the same topic keeps its own",
  async () => {
    const topic = `anew-${crypto.randomUUID()}`;
    const bus = await createKafkaBus({ library, brokers: kafka.brokers, clientId: "anew" });
    const lifeOf = async () => {
      await bus.ensureTopics([{ name: topic, partitions: 1, provision: "create" }]);
      const { owner, subscription } = await joinGroup(bus, {
        group: `g-${crypto.randomUUID()}`,
        topics: [topic],
      });
      await owner.until(({ owned }) => owned.size === 1);
      const life = owner.owned.get(`${topic}/0`)?.life;
      await subscription.close();
      return life;
    };
    const before = await lifeOf();
    expect(before).toMatch(/^[0-9a-f]{32}\/\d+$/);
    expect(await lifeOf()).toBe(before);
    expect(await admin.deleteTopics([topic])).toMatchObject([{ err: ERROR.none }]);
    const after = await lifeOf();
    expect(after).toMatch(/^[0-9a-f]{32}\/\d+$/);
    expect(after).not.toBe(before);
    await bus.close();
  },
  TIMEOUT_MS,
);
