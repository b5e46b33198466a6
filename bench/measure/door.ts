/**
 * The door beside the least that it could be: questions taken (looked up, claimed, acknowledged by Kafka) and answers found.
 *
 * In: a stage. Out: ours over bare, pair by pair: requests a second as fast as they are answered, and the p99 at half the rate that
 * the bare one reached. Both talk to the same Kafka, Postgres and Redis. Every answer is checked, and every question must be a row and
 * a record at the end. Never here: workers.
 */
import { join } from "node:path";
import { migrateTables } from "../../handlers/shared/storage/migrate.ts";
import { questionId } from "../../handlers/shared/questions/identity.ts";
import { requests } from "../../schema/topics.ts";
import { startUpstashFront } from "../../deploy/upstash-front.ts";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { openLibrary } from "../../runtime/kafka/index.ts";
import { freePort } from "../../tests/services/port.ts";
import { startRedis } from "../../tests/services/redis.ts";
import { runChild, withChild, type ChildOptions } from "../harness/child.ts";
import type { Benchmark, Measurement } from "../harness/measurement.ts";
import { interleave } from "../harness/pairs.ts";
import type { Stage } from "../harness/stage.ts";
import { questionAt, type Asking, type AskerWork } from "../reference/asker.ts";
import type { BareDoorWork } from "../reference/bare-door.ts";
import { fillAnswers } from "../runtime/fill-answers.ts";

const CONNECTIONS = 64;
const KNOWN = 2_000;
const TOKEN = "bench";
const row = "door: acked requests and hits vs bare";
const unit = "ratio";

const higher = (name: string, reference: string): Benchmark => {
  return { name, row, reference, unit, better: "higher", must: 0.8, aim: 0.95 };
};
const lower = (name: string, reference: string): Benchmark => {
  return { name, row, reference, unit, better: "lower", must: 1.3, aim: 1 };
};

type Kind = BareDoorWork["kind"];

const BENCHMARKS: Readonly<Record<Kind, readonly [Benchmark, Benchmark]>> = {
  asks: [
    higher(
      "door-asks",
      "asks a second, acknowledged, over a bare Bun.serve with the same SELECT, INSERT and produce",
    ),
    lower("door-asks-p99", "p99 of the same, at half of the bare one's rate"),
  ],
  cache: [
    higher(
      "door-hits-cache",
      "hits a second with LOOKUP=cache,db over a bare Elysia with the same Redis call",
    ),
    lower("door-hits-cache-p99", "p99 of the same, at half of the bare one's rate"),
  ],
  db: [
    higher("door-hits-db", "hits a second with LOOKUP=db,cache over a bare Elysia with the same SELECT"),
    lower("door-hits-db-p99", "p99 of the same, at half of the bare one's rate"),
  ],
};

export const door: readonly Measurement[] = (["asks", "cache", "db"] as const).map((kind) => ({
  benchmarks: BENCHMARKS[kind],
  measure: (stage: Stage) => measure(stage, kind),
}));

interface Turn {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly faults: number;
}

async function measure(stage: Stage, kind: Kind) {
  const redis = await startRedis(() => {});
  const front = startUpstashFront({ redisUrl: redis.url, token: TOKEN });
  const bus = await createKafkaBus({
    library: openLibrary(stage.library),
    brokers: stage.brokers,
    clientId: "count",
  });
  try {
    const databases = { reference: await stage.newDatabase(), ours: await stage.newDatabase() };
    await Promise.all([migrateTables(databases.reference), migrateTables(databases.ours)]);
    if (kind !== "asks")
      for (const url of Object.values(databases))
        await fillAnswers({
          url,
          redisUrl: front.url,
          token: TOKEN,
          count: KNOWN,
          questionAt,
          idOf: questionId,
        });
    const topic = await stage.newTopic(requests.partitions);
    const turns = { kind, stage, rate: null as number | null };
    const bare = oneDoor(turns, "bare", (port) =>
      bareDoor({
        port,
        kind,
        databaseUrl: databases.reference,
        brokers: stage.brokers,
        library: stage.library,
        topic,
        redisUrl: front.url,
        redisToken: TOKEN,
      }),
    );
    const whole = oneDoor(turns, "ours", (port) =>
      ourDoor(stage, { port, kind, url: databases.ours, redisUrl: front.url }),
    );
    const pairs = await interleave(stage.pairs, { reference: bare.turn, ours: whole.turn });
    const lost =
      kind === "asks"
        ? (await missing(bus, { url: databases.reference, topic, sent: bare.sent() })) +
          (await missing(bus, { url: databases.ours, topic: requests.name, sent: whole.sent() }))
        : 0;
    const of = (which: "perSecond" | "p99Ms") =>
      pairs.map(({ reference, ours }) => ({
        value: ours[which] / reference[which],
        faults: reference.faults + ours.faults + lost,
      }));
    const [rates, tails] = BENCHMARKS[kind];
    return new Map([
      [rates.name, of("perSecond")],
      [tails.name, of("p99Ms")],
    ]);
  } finally {
    await bus.close();
    await front.close();
    await redis.stop();
  }
}

/** Starts a door for each of its turns, asks it as fast as it answers, then at a rate. */
function oneDoor(
  turns: { readonly kind: Kind; readonly stage: Stage; rate: number | null },
  title: string,
  start: (port: number) => ChildOptions,
) {
  const { stage, kind } = turns;
  let sent = 0;
  const asking = async (url: string, rate: number | null): Promise<Asking> => {
    const work: AskerWork = {
      url,
      first: kind === "asks" ? sent : 0,
      known: kind === "asks" ? null : KNOWN,
      connections: CONNECTIONS,
      warmMs: stage.quick ? 1_000 : 3_000,
      forMs: stage.quick ? 3_000 : 10_000,
      rate,
    };
    const told = await runChild<Asking>({
      command: [process.execPath, join(import.meta.dir, "../reference/asker.ts"), JSON.stringify(work)],
    });
    sent += told.sent;
    return told;
  };
  return {
    sent: () => sent,
    turn: async (): Promise<Turn> => {
      const port = freePort();
      const url = `http://127.0.0.1:${port}`;
      return await withChild(start(port), async () => {
        await opened(url);
        const fast = await asking(url, null);
        turns.rate ??= Math.floor(fast.perSecond / 2);
        const paced = await asking(url, turns.rate);
        stage.say(
          `  ${title}: ${Math.round(fast.perSecond)}/s; at ${turns.rate}/s p50 ${paced.p50Ms.toFixed(2)} ms, p99 ${paced.p99Ms.toFixed(2)} ms`,
        );
        return { perSecond: fast.perSecond, p99Ms: paced.p99Ms, faults: fast.faults + paced.faults };
      });
    },
  };
}

function bareDoor(work: BareDoorWork): ChildOptions {
  return {
    command: [process.execPath, join(import.meta.dir, "../reference/bare-door.ts"), JSON.stringify(work)],
  };
}

function ourDoor(
  { brokers, library }: Stage,
  {
    port,
    kind,
    url,
    redisUrl,
  }: { readonly port: number; readonly kind: Kind; readonly url: string; readonly redisUrl: string },
): ChildOptions {
  return {
    command: [process.execPath, join(import.meta.dir, "../../runtime/bin/cauce.ts"), "handlers"],
    cwd: join(import.meta.dir, "../.."),
    env: {
      KAFKA_BROKERS: brokers,
      DATABASE_URL: url,
      CAUCE_LIBRDKAFKA: library,
      CAUCE_SUPERVISE: "off",
      LOG_LEVEL: "error",
      RUN: "ingress",
      PORT: String(port),
      LOOKUP: kind === "cache" ? "cache,db" : "db,cache",
      // Nobody works the questions off here.
      ADMIT_WAIT_S: "86400",
      UPSTASH_REDIS_REST_URL: redisUrl,
      UPSTASH_REDIS_REST_TOKEN: TOKEN,
    },
  };
}

/** Resolves when it answers at all. */
async function opened(url: string): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  for (;;) {
    const response = await fetch(`${url}/readyz`).catch(() => null);
    // The bare one knows no such path.
    if (response !== null && response.status !== 503) return;
    if (performance.now() > deadlineMs) throw new Error(`no door at ${url}`);
    await Bun.sleep(20);
  }
}

/** Questions that are no row, or no record. */
async function missing(
  bus: Awaited<ReturnType<typeof createKafkaBus>>,
  { url, topic, sent }: { readonly url: string; readonly topic: string; readonly sent: number },
): Promise<number> {
  const sql = new Bun.SQL(url, { max: 1 });
  try {
    const [counted] = (await sql`select count(*)::int as n from question`) as { n: number }[];
    const backlog = await bus.backlog([{ group: "nobody", topics: [topic] }]);
    const records = backlog.reduce((sum, partition) => sum + partition.records, 0);
    return Math.abs(sent - (counted?.n ?? 0)) + Math.abs(sent - records);
  } finally {
    await sql.close();
  }
}
