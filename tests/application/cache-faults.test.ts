/**
 * The cache on a real Redis behind Upstash's protocol, down, slow and wrong: nothing is wrong without it, and it helps when Postgres
 * is away.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readSettings } from "cauce/run";
import { connectCache } from "../../handlers/shared/connect-cache.ts";
import type { ResultCache } from "../../handlers/shared/cache.ts";
import { settings } from "../../handlers/shared/settings.ts";
import type { Result } from "../../handlers/shared/storage/results.ts";
import { startUpstashFront, type UpstashFront } from "../../deploy/upstash-front.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { startRedis, type OwnRedisServer } from "../services/redis.ts";
import { deadRepository, idOf, newTitle, openDoorOn } from "./open-door.ts";
import { openStage, resultFor, type Stage } from "./stage.ts";

const TOKEN = "front-token";
let stage: Stage;
let redis: OwnRedisServer;
let front: UpstashFront;
/** Between the cache and the front: counts requests, and answers in its stead where a test says so. */
let between: Bun.Server<undefined>;
let requests = 0;
let instead: (() => Response | Promise<Response>) | null = null;

beforeAll(async () => {
  stage = await openStage("cachefaults");
  redis = await startRedis(() => {});
  front = startUpstashFront({ redisUrl: redis.url, token: TOKEN });
  between = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      requests++;
      if (instead) return await instead();
      const { pathname } = new URL(request.url);
      return fetch(front.url + pathname, {
        method: "POST",
        headers: request.headers,
        body: await request.text(),
      });
    },
  });
}, 300_000);
afterEach(async () => {
  instead = null;
  await redis.restart();
});
afterAll(async () => {
  await between.stop(true);
  await front.close();
  await Promise.all([redis.stop(), stage.close()]);
});

function connect(environment: Readonly<Record<string, string>> = {}): ResultCache {
  const values = readSettings(settings, {
    UPSTASH_REDIS_REST_URL: between.url.href.replace(/\/$/, ""),
    UPSTASH_REDIS_REST_TOKEN: TOKEN,
    CACHE_TIMEOUT_MS: "2000",
    ...environment,
  });
  const world = { clock: systemClock, random: () => 0.5, log: silentLog, production: true };
  return connectCache(values, world).cache;
}

async function send(...command: string[]): Promise<unknown> {
  const client = new Bun.RedisClient(redis.url);
  try {
    return (await client.send(command[0] ?? "", command.slice(1))) as unknown;
  } finally {
    client.close();
  }
}

/** A question that has its answer in Postgres. */
async function answered(round = 1): Promise<{ title: string; result: Result }> {
  const title = newTitle();
  const id = idOf(title);
  const result = await stage.repository.storeResult(
    resultFor(id, { title, round, answer: `Yes, ${round}.` }),
  );
  if (!result) throw new Error("nothing was stored");
  return { title, result };
}

/** What must hold whatever the cache does: what is known is answered rightly, what is not is queued once. */
async function expectRight(cache: ResultCache, lookup: ("db" | "cache")[]): Promise<void> {
  const door = openDoorOn(stage, { cache, lookup });
  const { title, result } = await answered();
  const hit = await door.ask({ title });
  expect(hit.status).toBe(200);
  expect(hit.body).toMatchObject({ hit: true, from: "db", answer: result.answer });
  const fresh = { title: newTitle() };
  expect((await door.ask(fresh)).status).toBe(202);
  expect((await door.ask(fresh)).status).toBe(202);
  expect(door.sent).toHaveLength(1);
}

describe("a cache that is not well changes no answer:", () => {
  const faults: readonly (readonly [string, () => void | Promise<void>])[] = [
    ["Redis is gone", () => redis.kill()],
    ["Redis stands still", async () => void (await send("CLIENT", "PAUSE", "600000", "ALL"))],
    ["it answers 500", () => void (instead = () => new Response("oops", { status: 500 }))],
    ["it answers 429", () => void (instead = () => new Response("slow down", { status: 429 }))],
    ["it answers half a JSON", () => void (instead = () => new Response('[{"result": "{\\"id'))],
    ["it answers another shape", () => void (instead = () => Response.json({ result: 7 }))],
    ["it answers a web page", () => void (instead = () => new Response("<html>", { status: 200 }))],
    ["it never answers", () => void (instead = () => new Promise<Response>(() => {}))],
    ["it refuses writes: out of memory", async () => void (await send("CONFIG", "SET", "maxmemory", "1"))],
  ];
  for (const lookup of [
    ["db", "cache"],
    ["cache", "db"],
  ] as ("db" | "cache")[][])
    test.each(faults)(`%s (${lookup.join(",")})`, async (_, fault) => {
      await fault();
      await expectRight(connect({ CACHE_TIMEOUT_MS: "100" }), lookup);
    });

  test("a value of another question, or of no question, is a miss", async () => {
    const cache = connect();
    const door = openDoorOn(stage, { cache, lookup: ["cache", "db"] });
    const [mine, other] = [await answered(), await answered()];
    for (const wrong of [JSON.stringify(other.result), "{", '{"id":1}', "null"]) {
      await send("SET", `q:${mine.result.id}`, wrong);
      expect((await door.ask({ title: mine.title })).body).toMatchObject({ from: "db", answer: "Yes, 1." });
    }
    // And what was found in Postgres is there now.
    expect((await door.ask({ title: mine.title })).body).toMatchObject({ from: "cache" });
  });
});

test("a stale result is replaced when a newer one is stored, and never comes back over it", async () => {
  const cache = connect();
  const door = openDoorOn(stage, { cache, lookup: ["cache", "db"] });
  const { title, result } = await answered(1);
  await cache.put(result);
  const newer = await stage.repository.storeResult(
    resultFor(result.id, { title, round: 2, answer: "Yes, 2." }),
  );
  if (newer) await cache.put(newer);
  expect((await door.ask({ title })).body).toMatchObject({ from: "cache", answer: "Yes, 2." });
  // A slow process comes late with what it had read before.
  await cache.put(result);
  expect((await door.ask({ title })).body).toMatchObject({ from: "cache", answer: "Yes, 2." });
});

test("what Redis has evicted or forgotten is found in Postgres and put back", async () => {
  const cache = connect();
  const door = openDoorOn(stage, { cache, lookup: ["cache", "db"] });
  const { title } = await answered();
  expect((await door.ask({ title })).body).toMatchObject({ from: "db" });
  expect((await door.ask({ title })).body).toMatchObject({ from: "cache" });
  await send("FLUSHALL");
  expect((await door.ask({ title })).body).toMatchObject({ from: "db" });
  expect((await door.ask({ title })).body).toMatchObject({ from: "cache" });
});

test("with Postgres away the cache still answers what it has, and nothing is invented for the rest", async () => {
  const cache = connect();
  const { title, result } = await answered();
  await cache.put(result);
  for (const lookup of [
    ["db", "cache"],
    ["cache", "db"],
  ] as ("db" | "cache")[][]) {
    const door = openDoorOn(stage, { cache, lookup, repository: deadRepository() });
    expect((await door.ask({ title })).body).toMatchObject({ hit: true, from: "cache", answer: "Yes, 1." });
    expect((await door.see(result.id)).body).toMatchObject({ state: "done", answer: "Yes, 1." });
    const refused = await door.ask({ title: newTitle() });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(door.sent).toEqual([]);
  }
});

test("what is looked up in the same moment goes in one request", async () => {
  const cache = connect();
  await cache.get("f".repeat(32));
  const before = requests;
  await Promise.all(Array.from({ length: 50 }, (_, n) => cache.get(String(n).padStart(32, "0"))));
  expect(requests - before).toBe(1);
});

test("a cache that keeps failing is left alone for a while", async () => {
  instead = () => new Response("oops", { status: 500 });
  const cache = connect();
  const before = requests;
  for (let n = 0; n < 50; n++) await cache.get("f".repeat(32));
  expect(requests - before).toBe(5);
});
