/**
 * The cache of this process.
 *
 * In: settings. Out: results in Redis over Upstash's HTTP API, or inside this process, or (in production without Redis)
 * nowhere; behind a deadline and a breaker in each case.
 */
import { Redis } from "@upstash/redis";
import { createCacheRequester, type SettingValues, type Started, type World } from "cauce/run";
import { createBreaker } from "./breaker.ts";
import { createResultCache, upstashRedis, type ResultCache } from "./cache.ts";
import type { settings } from "./settings.ts";

export interface ConnectedCache {
  readonly cache: ResultCache;
  readonly parts: NonNullable<Started<unknown>["parts"]>;
}

/** So many failures in a row, and the cache rests for so long. */
const FAILURES = 5;
const REST_MS = 10_000;

export function connectCache(
  values: SettingValues<typeof settings>,
  { clock, random, log, production }: Pick<World<unknown>, "clock" | "random" | "log" | "production">,
): ConnectedCache {
  const { redisUrl, redisToken, cacheTtlS, cacheJitter, cacheTimeoutMs } = values;
  const breaker = createBreaker({
    deadlineMs: cacheTimeoutMs,
    failures: FAILURES,
    restMs: REST_MS,
    clock,
    changed: (open, why) => (open ? log.warn("the cache rests", { why }) : log.info("the cache is back")),
  });
  const kept = { ttlSeconds: cacheTtlS, ttlJitter: cacheJitter / 100, random, breaker };
  if (redisUrl !== undefined) {
    const redis = upstashRedis({ url: redisUrl, token: redisToken ?? "none", deadlineMs: cacheTimeoutMs });
    return {
      cache: createResultCache({ redis, ...kept, shared: true }),
      parts: [{ part: "cache", what: `Redis at ${new URL(redisUrl).host}`, standIn: false }],
    };
  }
  if (production) {
    const none = { get: () => Promise.resolve(null), put: () => Promise.resolve() };
    return {
      cache: none,
      parts: [{ part: "cache", what: "none: no UPSTASH_REDIS_REST_URL", standIn: false }],
    };
  }
  const redis = new Redis(createCacheRequester({ clock }));
  return {
    cache: createResultCache({ redis, ...kept, shared: false }),
    parts: [
      { part: "cache", what: "inside this process (UPSTASH_REDIS_REST_URL is not set)", standIn: true },
    ],
  };
}
