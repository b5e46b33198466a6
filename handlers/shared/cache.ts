/**
 * The cache of results: `q:{id}` in Redis, with a time to live.
 *
 * In: results. Out: results, or nothing. Nothing is wrong without it: a cache that is down, slow or wrong is a miss.
 * Never here: deciding which result is the newest (the database does).
 */
import { Redis } from "@upstash/redis";
import * as v from "valibot";
import type { Breaker } from "./breaker.ts";
import { createGathering } from "./storage/gathering.ts";
import type { Result } from "./storage/results.ts";

export interface ResultCache {
  /** Null for a miss, whatever its reason. Never rejects. */
  get(id: string): Promise<Result | null>;
  /** Never rejects. */
  put(result: Result): Promise<void>;
}

export interface CacheOptions {
  readonly redis: Pick<Redis, "mget" | "set" | "eval">;
  /** A result is kept for so long at most. */
  readonly ttlSeconds: number;
  /** Each is kept shorter by up to this share, 0 to 1, so that results stored together do not go together. */
  readonly ttlJitter: number;
  readonly random: () => number;
  readonly breaker: Breaker;
  /** Other processes write there too: an older result must not take a newer one's place. Needs EVAL. */
  readonly shared: boolean;
}

/** Puts a result in the place of an older one, or of what is no result; not of a newer one. */
const PUT_UNLESS_NEWER = `
local known = redis.call('GET', KEYS[1])
if known then
  local readable, result = pcall(cjson.decode, known)
  if readable and type(result) == 'table' and tonumber(result.round) and tonumber(result.round) > tonumber(ARGV[2]) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return 1`;

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

export function createResultCache(options: CacheOptions): ResultCache {
  const { redis, ttlSeconds, ttlJitter, random, breaker, shared } = options;
  const read = async (ids: readonly string[]): Promise<(Result | null)[]> => {
    const texts = await redis.mget<unknown[]>(ids.map((id) => `q:${id}`));
    return ids.map((id, at) => {
      const text = texts[at] ?? null;
      // Most are not there, and finding that out by the schema costs a list of complaints.
      if (text === null) return null;
      const parsed = v.safeParse(CachedResult, typeof text === "string" ? parse(text) : text);
      return parsed.success && parsed.output.id === id ? parsed.output : null;
    });
  };
  // Two at once, and all that come meanwhile in the next: a request over HTTP costs more than what is in it.
  const reading = createGathering({
    perform: async (ids: readonly string[]) => (await breaker.run(() => read(ids))) ?? ids.map(() => null),
    atOnce: 2,
  });
  const write = async (result: Result): Promise<void> => {
    const key = `q:${result.id}`;
    const text = JSON.stringify(result);
    const seconds = Math.max(1, Math.round(ttlSeconds * (1 - ttlJitter * random())));
    if (shared) await redis.eval(PUT_UNLESS_NEWER, [key], [text, String(result.round), String(seconds)]);
    else if (((await read([result.id]))[0]?.round ?? 0) <= result.round)
      await redis.set(key, text, { ex: seconds });
  };
  return {
    get: (id) => reading.ask(id),
    async put(result) {
      await breaker.run(() => write(result));
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
