import { describe, expect, test } from "bun:test";
import { Redis } from "@upstash/redis";
import { systemClock } from "cauce";
import { createCacheRequester } from "cauce/run";
import { createBreaker } from "./breaker.ts";
import { createResultCache, upstashRedis } from "./cache.ts";

const RESULT = {
  id: "0123456789abcdef0123456789abcdef",
  round: 1,
  title: "What?",
  answer: "That.",
  score: 8,
  rubric: { accuracy: 8 },
  below_threshold: false,
  model: "m",
  judge: "j",
  created_at: "2026-01-01T00:00:00.000Z",
};

const breaker = (deadlineMs: number) =>
  createBreaker({ deadlineMs, failures: 1_000, restMs: 1, clock: systemClock });

function cacheOver(redis: Redis, { shared = false, chance = 0 } = {}) {
  return createResultCache({
    redis,
    ttlSeconds: 60,
    ttlJitter: 0.5,
    random: () => chance,
    breaker: breaker(1_000),
    shared,
  });
}

/** A Redis over HTTP that answers as it is told. */
function answering(answer: () => Response | Promise<Response>) {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  const url = `http://127.0.0.1:${server.port}`;
  const cache = cacheOver(upstashRedis({ url, token: "secret", deadlineMs: 200 }));
  return { cache, [Symbol.asyncDispose]: () => server.stop(true) };
}

describe("the cache of results", () => {
  test("gives back what was put, and nothing for anything else", async () => {
    const cache = cacheOver(new Redis(createCacheRequester()));
    expect(await cache.get(RESULT.id)).toBeNull();
    await cache.put(RESULT);
    expect(await cache.get(RESULT.id)).toEqual(RESULT);
    expect(await cache.get("f".repeat(32))).toBeNull();
  });

  test("keeps it under q:{id} with a time to live", async () => {
    const redis = new Redis(createCacheRequester());
    await cacheOver(redis).put(RESULT);
    expect(await redis.ttl(`q:${RESULT.id}`)).toBeWithin(58, 61);
  });

  test("keeps each result a little shorter, by chance, so that not all go at once", async () => {
    const redis = new Redis(createCacheRequester());
    await cacheOver(redis, { chance: 0.5 }).put(RESULT);
    expect(await redis.ttl(`q:${RESULT.id}`)).toBeWithin(43, 46);
  });

  test("a newer result takes an older one's place, an older one not a newer one's", async () => {
    const cache = cacheOver(new Redis(createCacheRequester()));
    for (const round of [2, 1]) await cache.put({ ...RESULT, round });
    expect((await cache.get(RESULT.id))?.round).toBe(2);
    await cache.put({ ...RESULT, round: 3 });
    expect((await cache.get(RESULT.id))?.round).toBe(3);
  });

  test("takes for a miss whatever is no result, or another question's", async () => {
    const redis = new Redis(createCacheRequester());
    const cache = cacheOver(redis);
    for (const value of [
      "",
      "{",
      "null",
      '"Aborted"',
      "7",
      "[]",
      JSON.stringify({ ...RESULT, score: "8" }),
    ]) {
      await redis.set(`q:${RESULT.id}`, value);
      expect(await cache.get(RESULT.id)).toBeNull();
    }
    await redis.set(`q:${RESULT.id}`, JSON.stringify({ ...RESULT, id: "f".repeat(32) }));
    expect(await cache.get(RESULT.id)).toBeNull();
  });

  test("reads what a Redis over HTTP answers", async () => {
    await using redis = answering(() => Response.json([{ result: [JSON.stringify(RESULT)] }]));
    expect(await redis.cache.get(RESULT.id)).toEqual(RESULT);
  });

  test("takes errors, nonsense and half an answer for a miss, and never throws", async () => {
    for (const answer of [
      () => Response.json({ error: "WRONGPASS" }, { status: 401 }),
      () => new Response("busy", { status: 429 }),
      () => new Response("oops", { status: 500 }),
      () => new Response('[{"result": "'),
      () => Response.json([{ error: "OOM" }]),
      () => new Response(""),
    ]) {
      await using redis = answering(answer);
      expect(await redis.cache.get(RESULT.id)).toBeNull();
      await redis.cache.put(RESULT);
    }
  });

  test("takes one that never answers for a miss", async () => {
    await using redis = answering(() => new Promise<Response>(() => {}));
    expect(await redis.cache.get(RESULT.id)).toBeNull();
    await redis.cache.put(RESULT);
  });

  test("takes one that is not there for a miss", async () => {
    const cache = cacheOver(upstashRedis({ url: "http://127.0.0.1:1", token: "secret", deadlineMs: 200 }));
    expect(await cache.get(RESULT.id)).toBeNull();
  });
});
