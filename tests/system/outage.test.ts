/** Real Kafka, Postgres and Redis that come late, die and come back, under one application. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { startUpstashFront, type UpstashFront } from "../../deploy/upstash-front.ts";
import { startKafka, type OwnKafkaBroker } from "../services/kafka.ts";
import { freePort } from "../services/port.ts";
import { startPostgres, type OwnPostgresServer } from "../services/postgres.ts";
import { startRedis, type OwnRedisServer } from "../services/redis.ts";
import { ask, get, question, questions, queue, reaches } from "./asking.ts";
import {
  clearStage,
  count,
  endRunning,
  eventually,
  sql,
  startCauce,
  type Cauce,
  type Settings,
} from "./stage.ts";

/** Longer than any wait of the stage, so that a wait that was in vain is told. */
setDefaultTimeout(240_000);

let kafka: OwnKafkaBroker;
let postgres: OwnPostgresServer;
let redis: OwnRedisServer;
let front: UpstashFront;
let database = "";
let settings: Settings = {};
const token = crypto.randomUUID();

beforeAll(async () => {
  [kafka, postgres, redis] = await Promise.all([startKafka(), startPostgres(), startRedis()]);
  front = startUpstashFront({ redisUrl: redis.url, token });
  database = await postgres.createDatabase("outage");
  settings = {
    KAFKA_BROKERS: kafka.brokers,
    DATABASE_URL: database,
    UPSTASH_REDIS_REST_URL: front.url,
    UPSTASH_REDIS_REST_TOKEN: token,
    OFFLINE_LATENCY_MS: "200",
  };
});
afterEach(endRunning);
afterAll(async () => {
  await clearStage();
  await front.close();
  await Promise.all([kafka.stop(), postgres.stop(), redis.stop()]);
});

/** Starts with a port that is known before it is up. */
function startAtPort(more: Settings = {}): { cauce: Cauce; door: string } {
  const port = String(freePort());
  return {
    cauce: startCauce({ settings: { ...settings, PORT: port, ...more } }),
    door: `http://127.0.0.1:${port}`,
  };
}

async function refused(door: string, number: number): Promise<void> {
  const { status, headers, body } = await ask(door, question("Nowhere", number));
  expect({ status, title: typeof body.title }).toEqual({ status: 503, title: "string" });
  expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  expect(headers.get("content-type")).toBe("application/problem+json");
}

async function isReady(door: string): Promise<boolean> {
  return (await fetch(`${door}/readyz`)).status === 200;
}

/** Each id has one result, and no attempt was spent on what was away. */
async function answeredOnce(door: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) await reaches(door, id, "done", "failed");
  const list = ids.map((id) => `'${id}'`).join(",");
  const rows = await sql(
    database,
    `select question_hash, attempts, deferrals from response_event where question_hash in (${list})`,
  );
  expect(rows.map((row) => String(row["question_hash"])).toSorted()).toEqual([...ids].toSorted());
  expect(new Set(rows.map(({ attempts, deferrals }) => `${String(attempts)} ${String(deferrals)}`))).toEqual(
    new Set(["1 0"]),
  );
  expect(await count(database, "select count(*) from cauce.dead_letters")).toBe(0);
}

describe("Kafka", () => {
  test("that is away at the start is waited for, the door says so, and all works without a restart once it is there", async () => {
    await kafka.kill();
    const { cauce, door } = startAtPort();
    await cauce.said("waiting for Kafka");
    const health = await get(door, "/healthz");
    expect(health.status).toBe(200);
    expect(await isReady(door)).toBe(false);
    await refused(door, 1);
    await kafka.restart();
    await cauce.up();
    await eventually("it is ready", () => isReady(door));
    await answeredOnce(door, [await queue(door, question("Late", 1))]);
    expect(await cauce.end()).toBe(0);
  });

  test("that dies while questions are in flight costs none of them anything; hits are answered meanwhile, misses told to come back", async () => {
    const { cauce, door } = startAtPort();
    await cauce.up();
    await eventually("it is ready", () => isReady(door));
    const known = question("Known", 1);
    await reaches(door, await queue(door, known), "done");
    const ids = await Promise.all(questions("Kafka", 60).map((asked) => queue(door, asked)));
    await kafka.kill();
    await eventually("it knows", async () => !(await isReady(door)));
    expect(await ask(door, known)).toMatchObject({ status: 200, body: { hit: true } });
    await refused(door, 2);
    await kafka.restart();
    await answeredOnce(door, ids);
    await eventually("it is ready again", () => isReady(door));
    expect(await cauce.end("SIGINT")).toBe(0);
  });

  test("that is away does not keep a process from ending with code 0, and what was in flight is done by the next one", async () => {
    const first = startAtPort({
      OFFLINE_SCRIPT: JSON.stringify([{ match: "Interrupted", replies: ["rate_limit:1s"] }]),
    });
    await first.cauce.up();
    await eventually("it is ready", () => isReady(first.door));
    const ids = await Promise.all(questions("Interrupted", 20).map((asked) => queue(first.door, asked)));
    await kafka.kill();
    await eventually("it knows", async () => !(await isReady(first.door)));
    expect(await first.cauce.end("SIGINT")).toBe(0);
    await kafka.restart();
    const next = startAtPort();
    await next.cauce.up();
    for (const id of ids) await reaches(next.door, id, "done");
    const list = ids.map((id) => `'${id}'`).join(",");
    expect(
      await count(database, `select count(*) from response_event where question_hash in (${list})`),
    ).toBe(20);
    expect(await next.cauce.end()).toBe(0);
  });
});

describe("Postgres", () => {
  test("that crashes while questions are in flight costs none of them anything; the cache goes on answering, misses are told to come back", async () => {
    const { cauce, door } = startAtPort();
    await cauce.up();
    await eventually("it is ready", () => isReady(door));
    const known = question("Known", 2);
    await reaches(door, await queue(door, known), "done");
    const ids = await Promise.all(questions("Postgres", 60).map((asked) => queue(door, asked)));
    await postgres.kill();
    expect(await ask(door, known)).toMatchObject({ status: 200, body: { hit: true, from: "cache" } });
    await refused(door, 3);
    await eventually("it knows", async () => !(await isReady(door)));
    await postgres.restart("immediate");
    await answeredOnce(door, ids);
    await eventually("it is ready again", () => isReady(door));
    expect(await cauce.end()).toBe(0);
  });

  test("that is away at the start is waited for, which a signal ends with code 0 at any time", async () => {
    await postgres.kill();
    const givenUp = startAtPort();
    const { cauce, door } = startAtPort();
    const waits = ({ level, event }: { level: string; event: string }) =>
      level === "warn" && /database|Postgres|store/i.test(event);
    await Promise.all([givenUp.cauce.said(waits), cauce.said(waits)]);
    expect(await givenUp.cauce.end("SIGINT")).toBe(0);
    await postgres.restart();
    await cauce.up();
    await answeredOnce(door, [await queue(door, question("Patient", 1))]);
    expect(await cauce.end()).toBe(0);
  });
});

describe("a database whose tables cannot be made yet", () => {
  test("is waited for, which a signal ends with code 0", async () => {
    // The lock under which the application makes its views, held by somebody else.
    const holder = new Bun.SQL(database, { max: 1 });
    await holder`select pg_advisory_lock(7165414204)`;
    const { cauce } = startAtPort();
    await cauce.said("waiting for the database");
    expect(await cauce.end("SIGINT")).toBe(0);
    await holder.close();
  });
});

describe("Redis", () => {
  test("that dies, or is so slow that nobody can wait for it, changes no answer", async () => {
    const { cauce, door } = startAtPort();
    await cauce.up();
    await eventually("it is ready", () => isReady(door));
    const asked = question("Cached", 1);
    await reaches(door, await queue(door, asked), "done");
    await redis.kill();
    expect(await ask(door, asked)).toMatchObject({ status: 200, body: { hit: true, from: "db" } });
    const second = question("Cached", 2);
    await answeredOnce(door, [await queue(door, second)]);
    expect(await ask(door, second)).toMatchObject({ status: 200, body: { hit: true } });
    expect(await cauce.end()).toBe(0);

    const slow = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: () => new Promise<Response>(() => {}),
    });
    const behind = startAtPort({ UPSTASH_REDIS_REST_URL: slow.url.href, LOOKUP: "cache,db" });
    await behind.cauce.up();
    await eventually("it is ready", () => isReady(behind.door));
    expect(await ask(behind.door, asked)).toMatchObject({ status: 200, body: { hit: true, from: "db" } });
    await answeredOnce(behind.door, [await queue(behind.door, question("Cached", 3))]);
    expect(await behind.cauce.end()).toBe(0);
    await slow.stop(true);
    await redis.restart();
  });
});
