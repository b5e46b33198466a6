import { expect, test } from "bun:test";
import { Redis } from "@upstash/redis";
import type { Clock } from "../ground/clock.ts";
import { createCacheRequester, type CacheOptions } from "./cache.ts";

/** A clock that moves by hand. */
class HandClock implements Clock {
  #nowMs = 1_000;
  nowMs = () => this.#nowMs;
  monotonicMs = () => this.#nowMs;
  after = () => () => {};
  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

function redis(options: CacheOptions = {}): Redis {
  return new Redis(createCacheRequester(options));
}

test("answers what was stored, objects and texts of any script among it", async () => {
  const cache = redis();
  expect(await cache.set("q:1", { answer: "¿qué? 😀", score: 8.5 })).toBe("OK");
  expect(await cache.get<unknown>("q:1")).toEqual({ answer: "¿qué? 😀", score: 8.5 });
  await cache.set("text", 'a "quoted"\n\u0000 text');
  expect(await cache.get<string>("text")).toBe('a "quoted"\n\u0000 text');
  expect(await cache.get("absent")).toBeNull();
  expect(await cache.mget("q:1", "absent")).toEqual([{ answer: "¿qué? 😀", score: 8.5 }, null]);
  expect(await cache.del("q:1", "absent")).toBe(1);
  expect(await cache.get("q:1")).toBeNull();
  expect(await cache.ping()).toBe("PONG");
});

test("an entry expires when its time is over, not a moment earlier", async () => {
  const clock = new HandClock();
  const cache = redis({ clock });
  await cache.set("seconds", 1, { ex: 60 });
  await cache.set("milliseconds", 1, { px: 1_500 });
  await cache.set("for ever", 1);
  expect([await cache.ttl("seconds"), await cache.ttl("for ever"), await cache.ttl("absent")]).toEqual([
    60, -1, -2,
  ]);
  clock.advance(1_499);
  expect(await cache.get<number>("milliseconds")).toBe(1);
  clock.advance(1);
  expect(await cache.get("milliseconds")).toBeNull();
  clock.advance(58_500);
  expect(await cache.get("seconds")).toBeNull();
  expect(await cache.ttl("seconds")).toBe(-2);
  expect(await cache.get<number>("for ever")).toBe(1);
});

test("storing anew without a time takes the old time away", async () => {
  const cache = redis();
  await cache.set("k", 1, { ex: 60 });
  await cache.set("k", 2);
  expect(await cache.ttl("k")).toBe(-1);
});

test("stores only what is absent, or only what is present, when asked to", async () => {
  const clock = new HandClock();
  const cache = redis({ clock });
  expect(await cache.set("k", 1, { xx: true })).toBeNull();
  expect(await cache.set("k", 1, { nx: true, px: 10 })).toBe("OK");
  expect(await cache.set("k", 2, { nx: true })).toBeNull();
  expect(await cache.get<number>("k")).toBe(1);
  clock.advance(10);
  expect(await cache.set("k", 3, { nx: true })).toBe("OK");
});

test("a pipeline answers in order, with an error only where it belongs", async () => {
  const cache = redis();
  const pipeline = cache.pipeline().set("a", 1).get("a").lpush("list", "x").get("absent");
  expect(await pipeline.exec({ keepErrors: true })).toMatchObject([
    { result: "OK" },
    { result: 1 },
    { error: expect.stringContaining("does not know LPUSH") as string },
    { result: null },
  ]);
});

test("the longest unused entry goes when there are too many", async () => {
  const cache = redis({ entries: 2 });
  await cache.set("a", 1);
  await cache.set("b", 2);
  await cache.get("a");
  await cache.set("c", 3);
  expect(await cache.mget("a", "b", "c")).toEqual([1, null, 3]);
});

test("the longest unused entries go when all together are too large, and one that never fits is refused", async () => {
  const cache = redis({ bytes: 100 });
  await cache.set("a", "x".repeat(49));
  await cache.set("b", "x".repeat(49));
  await cache.set("b", "y".repeat(49));
  expect(await cache.get("a")).not.toBeNull();
  await cache.set("ñ", "é".repeat(24));
  expect(await cache.mget("a", "b", "ñ")).toEqual(["x".repeat(49), null, "é".repeat(24)]);
  const refused = await cache.set("huge", "x".repeat(100)).catch((thrown: unknown) => thrown);
  expect(String(refused)).toContain("an entry of 104 bytes does not fit into a cache of 100");
});

test("what it does not know is refused in words", async () => {
  const requester = createCacheRequester();
  const error = async (request: { path?: string[]; body?: unknown }) =>
    (await requester.request(request)).error ?? "";
  expect(await error({ body: ["HSET", "h", "f", "1"] })).toBe(
    "ERR the in-process cache does not know HSET: it knows GET, MGET, SET, DEL, TTL, PING. Set UPSTASH_REDIS_REST_URL to use a Redis",
  );
  expect(await error({ path: ["multi-exec"], body: [["PING"]] })).toContain('does not serve "multi-exec"');
  expect(await error({ body: "GET k" })).toBe("ERR a command is a list with its name first");
  expect(await error({ body: [] })).toBe("ERR a command is a list with its name first");
  expect(await error({ body: ["GET"] })).toBe("ERR wrong number of arguments for 'get' command");
  expect(await error({ body: ["SET", "k"] })).toBe("ERR wrong number of arguments for 'set' command");
  expect(await error({ body: ["SET", "k", "v", "EX", "0"] })).toBe(
    "ERR invalid expire time in 'set' command",
  );
  expect(await error({ body: ["SET", "k", "v", "EX", "1.5"] })).toBe(
    "ERR value is not an integer or out of range",
  );
  expect(await error({ body: ["SET", "k", "v", "EX"] })).toBe("ERR syntax error");
  expect(await error({ body: ["SET", "k", "v", "KEEPTTL"] })).toContain('not "KEEPTTL"');
  expect(await requester.request({ body: ["get", "k"] })).toEqual({ result: null });
});

test("two caches share nothing", async () => {
  const [one, other] = [redis(), redis()];
  await one.set("k", 1);
  expect(await other.get("k")).toBeNull();
});

test("limits that are no positive whole numbers are refused", () => {
  expect(() => createCacheRequester({ entries: 0 })).toThrow(/limit of entries/);
  expect(() => createCacheRequester({ bytes: Number.NaN })).toThrow(/limit of bytes/);
});
