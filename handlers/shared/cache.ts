/**
 * The cache of results: `q:{id}` in Redis, with a time to live.
 *
 * In: results. Out: results, or nothing. Nothing is wrong without it: a cache that is down, slow or wrong is a miss.
 * Never here: deciding which result is the newest (the database does).
 */
import { Redis } from "@upstash/redis";
import * as v from "valibot";
import type { Breaker } from "./breaker.ts";
import type { Result } from "./storage/results.ts";

export interface ResultCache {
  /** Null for a miss, whatever its reason. Never rejects. */
  get(id: string): Promise<Result | null>;
  /** Never rejects. */
  put(result: Result): Promise<void>;
}

export interface CacheOptions {
  readonly redis: Pick<Redis, "get" | "set">;
  readonly ttlSeconds: number;
  readonly breaker: Breaker;
}

/** Whatever lies under our key is believed only when it looks like a result. */
const CachedResult = v.object({
  id: v.string(),
  round: v.number(),
  title: v.string(),
  answer: v.string(),
  score: v.number(),
  rubric: v.record(v.string(), v.number()),
  below_threshold: v.boolean(),
  model: v.string(),
  judge: v.string(),
  created_at: v.string(),
});

export function createResultCache({ redis, ttlSeconds, breaker }: CacheOptions): ResultCache {
  return {
    async get(id) {
      const text = await breaker.run(() => redis.get(`q:${id}`));
      const parsed = v.safeParse(CachedResult, typeof text === "string" ? parse(text) : text);
      return parsed.success && parsed.output.id === id ? parsed.output : null;
    },
    async put(result) {
      await breaker.run(() => redis.set(`q:${result.id}`, JSON.stringify(result), { ex: ttlSeconds }));
    },
  };
}

/** A client over Upstash's HTTP API. `deadlineMs` ends each request. */
export function upstashRedis(options: {
  readonly url: string;
  readonly token: string;
  readonly deadlineMs: number;
}): Redis {
  return new Redis({
    url: options.url,
    token: options.token,
    retry: false,
    enableTelemetry: false,
    automaticDeserialization: false,
    // Plain JSON on the wire: base64 would only cost.
    responseEncoding: false,
    // A function, on purpose: with a plain signal the SDK turns an abort into a successful "Aborted".
    signal: () => AbortSignal.timeout(options.deadlineMs),
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
