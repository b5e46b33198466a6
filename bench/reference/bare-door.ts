/**
 * The least that a door can be: a bare `Bun.serve` that looks, claims and publishes, or answers from the cache, and nothing else.
 *
 * In: the work as JSON. Out: `ready`. No schema, no limits, no trace, no journal, no keys, no OpenAPI; the same statements and the
 * same acknowledged record as ours. Never here: the runtime, but for its binding to librdkafka.
 */
import { Elysia } from "elysia";
import postgres from "postgres";
import { Redis } from "@upstash/redis";
import { questionId } from "../../handlers/shared/questions/identity.ts";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { openLibrary } from "../../runtime/kafka/index.ts";

export interface BareDoorWork {
  readonly port: number;
  /** `asks`: SELECT, INSERT, produce. `db` and `cache`: hits, on Elysia. */
  readonly kind: "asks" | "db" | "cache";
  readonly databaseUrl: string;
  readonly brokers: string;
  readonly library: string;
  readonly topic: string;
  readonly redisUrl: string;
  readonly redisToken: string;
}

interface Asked {
  readonly title: string;
  readonly content: string;
  readonly best_answer: string;
}

const CONNECTIONS = 8;
const FIND = `select "id", "question_hash", "round", "title", "content", "best_answer", "answer", "score", "rubric", "below_threshold",
  "model", "judge", "usage", "attempts", "deferrals", "created_at" from "response_event" where "question_hash" = $1
  order by "round" desc limit 1`;
const CLAIM = `insert into question (id, title, content, best_answer) values ($1, $2, $3, $4) on conflict do nothing
  returning id, title, content, best_answer, round, claimed_at`;

const work = JSON.parse(process.argv[2] ?? "") as BareDoorWork;
process.stdin.on("end", () => process.exit(1)).resume();
const sql = postgres(work.databaseUrl, { max: CONNECTIONS, fetch_types: false, onnotice: () => undefined });
const utf8 = new TextEncoder();

if (work.kind === "asks") await serveAsks();
else serveHits(work.kind);
process.stdout.write("ready\n");

async function serveAsks(): Promise<void> {
  const bus = await createKafkaBus({
    library: openLibrary(work.library),
    brokers: work.brokers,
    clientId: "bare",
  });
  Bun.serve({
    port: work.port,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { title, content, best_answer } = (await request.json()) as Asked;
      const id = questionId({ title, content });
      const [found] = await sql.unsafe(FIND, [id], { prepare: true });
      if (found) return Response.json(found);
      const [claim] = await sql.unsafe(CLAIM, [id, title, content, best_answer], { prepare: true });
      if (!claim) return Response.json({ queued: true, id }, { status: 202 });
      const value = JSON.stringify({ id, title, content, best_answer, attempts: 0, round: 1, deferrals: 0 });
      await bus.publish([
        {
          topic: work.topic,
          key: utf8.encode(id),
          value: utf8.encode(value),
          headers: [["ce_id", utf8.encode(`${id}.1`)]],
        },
      ]);
      return Response.json({ queued: true, id }, { status: 202 });
    },
  });
}

function serveHits(kind: "db" | "cache"): void {
  const redis = new Redis({
    url: work.redisUrl,
    token: work.redisToken,
    retry: false,
    enableTelemetry: false,
    automaticDeserialization: false,
    responseEncoding: false,
  });
  const find = async (id: string): Promise<object | null> => {
    if (kind === "cache") {
      const text = await redis.get<string>(`q:${id}`);
      return text === null ? null : (JSON.parse(text) as object);
    }
    return (await sql.unsafe(FIND, [id], { prepare: true }))[0] ?? null;
  };
  new Elysia()
    .post("/query", async ({ body }) => {
      const found = await find(questionId(body as Asked));
      return Response.json({ hit: found !== null, ...found });
    })
    .listen({ port: work.port, hostname: "127.0.0.1" });
}
