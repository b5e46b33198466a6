/**
 * What is promised of exactly once, half-sentence by half-sentence, on a real Apache Kafka and a real Postgres: a worker dies between
 * the outputs and the offsets of its first transaction; one without a scheduler goes on; then one dies between the publishing
 * and the deletion of rows, and a last one ends the work. Each test looks at another side of that one story.
 */
import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import type { Bus, IncomingRecord } from "../../runtime/bus/bus.ts";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { readEnvelope } from "../../runtime/engine/envelope.ts";
import { handler } from "../../runtime/index.ts";
import { Admin, type Library } from "../../runtime/kafka/index.ts";
import { bytes, textOf } from "../bus/owner.ts";
import { wholeTopic } from "../bus/whole-topic.ts";
import { startBehind } from "../faults/behind-proxy.ts";
import { RequestProxy } from "../faults/request-proxy.ts";
import { settledOffset } from "../kafka/reader.ts";
import { testLibrary } from "../kafka/library.ts";
import { sharedKafka } from "../services/kafka.ts";
import { createDatabase } from "../services/postgres.ts";
import { eventually, sql } from "../system/stage.ts";
import { onceStage } from "./once-stage.ts";

const MESSAGES = 100;
const PARTITIONS = 2;
/** The broker looks for transactions whose time of 10 s is over every 10 s. */
const TAKEN_BACK_WITHIN_MS = 25_000;

const numbers = Array.from({ length: MESSAGES }, (_, n) => n);
const dead = numbers.filter((n) => n % 10 === 5);
const waiting = numbers.filter((n) => n % 10 === 3 || n % 10 === 4);
const plain = numbers.filter((n) => !dead.includes(n) && !waiting.includes(n));

interface Story {
  readonly atDeath: {
    readonly committed: readonly number[];
    readonly written: readonly number[];
    readonly offsets: number;
    readonly rows: readonly string[];
    readonly letters: number;
    readonly hiddenMs: number;
  };
  readonly goneOn: {
    readonly outputs: readonly number[];
    readonly rows: readonly string[];
    readonly dead: readonly number[];
  };
  readonly end: { readonly outputs: readonly IncomingRecord[]; readonly dead: readonly number[] };
}

let story: Story;
beforeAll(async () => {
  story = await tell();
}, 240_000);

async function tell(): Promise<Story> {
  const [library, { brokers }, database]: [Library, { brokers: string }, string] = await Promise.all([
    testLibrary(),
    sharedKafka(),
    createDatabase("once"),
  ]);
  const bus = await createKafkaBus({ library, brokers, clientId: "promises" });
  const dirty = await createKafkaBus({
    library,
    brokers,
    clientId: "dirty",
    consumerConfig: { "isolation.level": "read_uncommitted" },
  });
  const admin = await Admin.open({ library, config: { "bootstrap.servers": brokers } });
  const from = `promise-${crypto.randomUUID()}`;
  const to = `${from}-out`;
  const letters = `${from}.dlq`;
  const group = `${from}.doubling`;
  await bus.ensureTopics(
    [from, to, letters].map((name) => ({ name, partitions: PARTITIONS, provision: "create" as const })),
  );
  await bus.publish(
    numbers.map((n) => ({
      topic: from,
      key: bytes(`k${n}`),
      value: bytes(JSON.stringify({ n })),
      headers: [],
    })),
  );
  const work = (death: string, schedule = "") =>
    Bun.spawn(
      [
        process.execPath,
        join(import.meta.dir, "exactly-once-worker.ts"),
        brokers,
        from,
        to,
        death,
        database,
        schedule,
      ],
      { stdin: "pipe", stdout: "pipe", stderr: "inherit" },
    );
  const whole = async (of: Bus, topic: string) => wholeTopic(of, { topic, partitions: PARTITIONS });
  const rows = async () =>
    (
      await sql(
        database,
        `select message_key, delivery, created_at from cauce.schedule_key where app = '${from}' order by 1, 2`,
      )
    ).map((row) => JSON.stringify(row));
  const offsets = async () => {
    const of = await Promise.all(
      [0, 1].map((partition) => settledOffset(admin, { group, topic: from, partition })),
    );
    return of.reduce<number>((sum, offset) => sum + (offset ?? 0), 0);
  };

  await work("transaction.published:1").exited;
  const diedMs = performance.now();
  const written = (await whole(dirty, to)).map(numberOf);
  const committed = (await whole(bus, to)).map(numberOf);
  const hiddenMs = performance.now() - diedMs;
  const [{ count: buried = 0 } = {}] = await sql(
    database,
    `select count(*) from cauce.dead_letters where app = '${from}'`,
  );
  const atDeath = {
    committed,
    written,
    offsets: await offsets(),
    rows: await rows(),
    letters: Number(buried),
    hiddenMs,
  };

  const second = work("-");
  await eventually("all offsets are committed", async () => (await offsets()) === MESSAGES);
  second.kill("SIGKILL");
  await second.exited;
  const goneOn = {
    outputs: (await whole(bus, to)).map(numberOf),
    dead: (await whole(bus, letters)).map(numberOf),
    rows: await rows(),
  };

  await work("schedule.acknowledged:1", "schedule").exited;
  const last = work("-", "schedule");
  let outputs: readonly IncomingRecord[] = [];
  await eventually("all outputs are there", async () => {
    outputs = await whole(bus, to);
    return new Set(outputs.map(numberOf)).size === MESSAGES - dead.length;
  });
  last.kill("SIGKILL");
  await last.exited;
  const end = { outputs: await whole(bus, to), dead: (await whole(bus, letters)).map(numberOf) };
  admin.close();
  await Promise.all([bus.close(), dirty.close()]);
  return { atDeath, goneOn, end };
}

const numberOf = ({ value }: IncomingRecord): number => Number(JSON.parse(textOf(value) ?? "").n);
const sorted = (some: readonly number[]) => some.toSorted((a, b) => a - b);

test("outputs and offsets in one Kafka transaction: a death between the two leaves neither", () => {
  expect(story.atDeath.written.length).toBeGreaterThan(0);
  expect(story.atDeath.committed).toEqual([]);
  expect(story.atDeath.offsets).toBe(0);
});

test("readers at `read_committed`: they see nothing of what others can read and nobody committed", () => {
  expect(story.atDeath.written.length).toBeGreaterThan(0);
  expect(story.atDeath.committed).toEqual([]);
});

test("`transaction.timeout.ms` ≤ 10 s, whatever else is configured: a dead process keeps no reader waiting", () => {
  expect(story.atDeath.hiddenMs).toBeLessThan(TAKEN_BACK_WITHIN_MS);
});

test("opened only when the handlers are done", async () => {
  const said: string[] = [];
  const behind = await startBehind((ports) => RequestProxy.listen(ports));
  // A broker opens a transaction when it hears of its first partition.
  const opened = behind.proxy.holdNext("addPartitionsToTxn").then((held) => {
    said.push("opened");
    return held.release();
  });
  const gate = Promise.withResolvers<void>();
  const stage = await onceStage({
    messages: 10,
    brokers: behind.direct,
    workerBrokers: behind.proxied,
    handler: ({ from, passed }) =>
      handler({
        name: "passing",
        on: from,
        out: { passed },
        guarantee: "exactly-once",
        order: { by: "none" },
        concurrency: 10,
        async handle({ value }, { out }) {
          said.push("run");
          if (value.n === 9) gate.resolve();
          await gate.promise;
          said.push("done");
          return out.passed(value);
        },
      }),
  });
  await stage.until(() => stage.settled.length === 10);
  await opened;
  expect(said).toEqual([...Array<string>(10).fill("run"), ...Array<string>(10).fill("done"), "opened"]);
  await stage.close();
  await behind.stop();
}, 90_000);

test("rows are committed first, then the transaction: nothing atomic spans Kafka and Postgres", () => {
  expect(story.atDeath.rows.length).toBeGreaterThan(0);
  expect(story.atDeath.letters).toBeGreaterThan(0);
  expect(story.atDeath.offsets).toBe(0);
});

test("an aborted one leaves a row that the redelivery re-uses", () => {
  expect(story.goneOn.rows).toEqual(expect.arrayContaining([...story.atDeath.rows]));
  expect(story.goneOn.rows.length).toBe(waiting.length);
});

test("exactly once on the non-retry path, dead letters too", () => {
  expect(sorted(story.goneOn.outputs)).toEqual(plain);
  expect(sorted(story.goneOn.dead)).toEqual(dead);
  expect(sorted(story.end.outputs.map(numberOf).filter((n) => plain.includes(n)))).toEqual(plain);
  expect(sorted(story.end.dead)).toEqual(dead);
});

test("at least once with stable ids through the schedule: this death publishes some of its rows twice", () => {
  const late = story.end.outputs.filter((record) => waiting.includes(numberOf(record)));
  expect(new Set(late.map(numberOf)).size).toBe(waiting.length);
  expect(late.length).toBeGreaterThan(waiting.length);
  expect(new Set(late.map((record) => readEnvelope(record).id)).size).toBe(waiting.length);
});

test("effectively once with the inbox: whoever keeps the first of each id has every message once", () => {
  const inbox = new Map<string, number>();
  for (const record of story.end.outputs) {
    const { id } = readEnvelope(record);
    if (!inbox.has(id)) inbox.set(id, numberOf(record));
  }
  expect(sorted([...inbox.values()])).toEqual(numbers.filter((n) => !dead.includes(n)));
});
