/** `kill -9` around a transaction, and a process taken for dead, on a real Apache Kafka: a reader of committed records sees each output once. */
import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import type { Library } from "../../runtime/kafka/index.ts";
import type { Failpoint } from "../../runtime/ground/failpoint.ts";
import { bytes, join as joinGroup, textOf } from "../bus/owner.ts";
import { testLibrary } from "../kafka/library.ts";
import { type KafkaBroker, sharedKafka } from "../services/kafka.ts";

const TIMEOUT_MS = 120_000;
const MESSAGES = 600;

let library: Library;
let kafka: KafkaBroker;
beforeAll(async () => {
  [library, kafka] = await Promise.all([testLibrary(), sharedKafka()]);
}, 180_000);

async function scene() {
  const bus = await createKafkaBus({ library, brokers: kafka.brokers, clientId: "once" });
  const from = `once-${crypto.randomUUID()}`;
  const to = `${from}-out`;
  await bus.ensureTopics([from, to].map((name) => ({ name, partitions: 2, provision: "create" as const })));
  const send = async (first: number) =>
    void (await bus.publish(
      Array.from({ length: MESSAGES }, (_, at) => ({
        topic: from,
        key: bytes(String(at % 10)),
        value: bytes(JSON.stringify({ n: first + at })),
        headers: [],
      })),
    ));
  const work = (death: string) =>
    Bun.spawn(
      [process.execPath, join(import.meta.dir, "exactly-once-worker.ts"), kafka.brokers, from, to, death],
      {
        stdin: "pipe",
        stdout: "pipe",
        stderr: "inherit",
      },
    );
  /** Reads committed outputs until so many different numbers were seen; answers all. */
  const outputs = async (count: number) => {
    const { subscription } = await joinGroup(bus, { group: `reader-${crypto.randomUUID()}`, topics: [to] });
    const seen: number[] = [];
    while (new Set(seen).size < count)
      for (const { value } of await subscription.take(500))
        seen.push(Number(JSON.parse(textOf(value) ?? "").n));
    await subscription.close();
    return seen;
  };
  return { bus, send, work, outputs };
}

async function end(worker: { kill: (signal: "SIGKILL") => void; exited: Promise<number> }): Promise<void> {
  worker.kill("SIGKILL");
  await worker.exited;
}

const points: readonly Failpoint[] = [
  "transaction.before",
  "transaction.published",
  "transaction.offsets_sent",
  "transaction.committed",
];
for (const point of points) {
  test(
    `kill -9 at ${point}: each output is there once`,
    async () => {
      const { bus, send, work, outputs } = await scene();
      await send(0);
      const doomed = work(`${point}:1`);
      expect(await doomed.exited).not.toBe(0);
      await send(MESSAGES);
      const next = work("-");
      const seen = await outputs(2 * MESSAGES);
      expect(seen.length).toBe(2 * MESSAGES);
      await end(next);
      await bus.close();
    },
    TIMEOUT_MS,
  );
}

test(
  "a process taken for dead that goes on is fenced: each output is there once",
  async () => {
    const { bus, send, work, outputs } = await scene();
    const stalled = work("-");
    await send(0);
    await outputs(1);
    stalled.kill("SIGSTOP");
    await send(MESSAGES);
    const next = work("-");
    await outputs(2 * MESSAGES);
    stalled.kill("SIGCONT");
    await send(2 * MESSAGES);
    const seen = await outputs(3 * MESSAGES);
    expect(seen.length).toBe(3 * MESSAGES);
    await Promise.all([end(stalled), end(next)]);
    await bus.close();
  },
  TIMEOUT_MS,
);
