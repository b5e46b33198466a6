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
import { startRedis } from "../../tests/services/redis.ts";
import type { ChildOptions } from "../harness/child.ts";
import { KNOWN, oneDoor, ourDoor, TOKEN } from "../harness/doors.ts";
import type { Benchmark, Measurement } from "../harness/measurement.ts";
import { interleave } from "../harness/pairs.ts";
import type { Stage } from "../harness/stage.ts";
import { questionAt } from "../reference/asker.ts";
import type { BareDoorWork } from "../reference/bare-door.ts";
import { fillAnswers } from "../runtime/fill-answers.ts";

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
    for (const url of Object.values(databases))
      if (kind === "asks") await fillOlderQuestions(url);
      else
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
    const pairs = await interleave(stage.morePairs, {
      reference: () => bare.turn(),
      ours: () => whole.turn(),
    });
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

function bareDoor(work: BareDoorWork): ChildOptions {
  return {
    command: [process.execPath, join(import.meta.dir, "../reference/bare-door.ts"), JSON.stringify(work)],
  };
}

/** Of a door that has been open for a while: a young table's plans are another matter, of its first minute. */
const OLDER_QUESTIONS = 100_000;

async function fillOlderQuestions(url: string): Promise<void> {
  const sql = new Bun.SQL(url, { max: 1 });
  try {
    await sql`insert into question (id, title, content, best_answer, state, published_at, ended_at)
      select md5(n::text), 'Older question number ' || n, '', '', 'done', now(), now() from generate_series(1, ${OLDER_QUESTIONS}) n`;
    await sql.unsafe("vacuum analyze question");
  } finally {
    await sql.close();
  }
}

/** Questions that are no row, or no record. */
async function missing(
  bus: Awaited<ReturnType<typeof createKafkaBus>>,
  { url, topic, sent }: { readonly url: string; readonly topic: string; readonly sent: number },
): Promise<number> {
  const sql = new Bun.SQL(url, { max: 1 });
  try {
    const [counted] = (await sql`select count(*)::int as n from question where state = 'queued'`) as {
      n: number;
    }[];
    const backlog = await bus.backlog([{ group: "nobody", topics: [topic] }]);
    const records = backlog.reduce((sum, partition) => sum + partition.records, 0);
    // And the one question that every turn began with.
    const asked = sent + 1;
    return Math.abs(asked - (counted?.n ?? 0)) + Math.abs(asked - records);
  } finally {
    await sql.close();
  }
}
