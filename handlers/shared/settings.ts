/**
 * The application's settings: names in the environment, defaults, limits.
 *
 * In: nothing. Out: declarations that the runtime reads once and hands in. Never here: reading the environment.
 */
import { wholeNumber } from "cauce/run";
import * as v from "valibot";

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;

const text = v.optional(v.string());
const url = v.optional(
  v.pipe(
    v.string(),
    v.url("expected an address such as http://127.0.0.1:8081/v1"),
    v.regex(/^https?:/, "expected an address that begins with http:// or https://"),
  ),
);
const points = v.pipe(
  v.optional(v.string(), "6"),
  v.regex(/^\d+(\.\d+)?$/, "expected a number from 0 to 10"),
  v.transform(Number),
  v.maxValue(10, "expected a number from 0 to 10"),
);
const price = v.optional(
  v.pipe(v.string(), v.regex(/^\d+(\.\d+)?$/, "expected a price such as 0.15"), v.transform(Number)),
);
const amount = v.optional(
  v.pipe(v.string(), v.regex(/^[1-9]\d{0,8}$/, "expected a whole number from 1"), v.transform(Number)),
);
const lookup = v.pipe(
  v.optional(v.string(), "db,cache"),
  v.transform((list) => list.split(",").map((part) => part.trim())),
  v.array(v.picklist(["db", "cache"], "expected db,cache or cache,db")),
  v.check((list) => list.includes("db"), "expected db among them: the cache alone forgets"),
  v.check((list) => new Set(list).size === list.length, "expected each at most once"),
);

export const settings = {
  llmBaseUrl: {
    env: "LLM_BASE_URL",
    schema: url,
    about: "OpenAI-compatible API, up to and with its version. Unset: the offline model.",
  },
  llmApiKey: { env: "LLM_API_KEY", schema: text, about: "The API's key.", secret: true },
  llmModel: {
    env: "LLM_MODEL",
    schema: v.optional(v.string(), "gpt-4o-mini"),
    about: "Which model answers and judges. Default gpt-4o-mini.",
  },
  judge: {
    env: "JUDGE",
    schema: v.optional(v.picklist(["model", "offline"], "expected model or offline"), "model"),
    about: "Who judges answers: the model, or offline, by comparing words. Default model, where one is set.",
  },
  requestsPerMinute: {
    env: "LLM_REQUESTS_PER_MINUTE",
    schema: amount,
    about: "Calls of the model a minute, by all processes together. Unset: as many as it takes.",
  },
  tokensPerMinute: {
    env: "LLM_TOKENS_PER_MINUTE",
    schema: amount,
    about: "Tokens a minute, likewise, prompts and answers together.",
  },
  modelInFlight: {
    env: "LLM_IN_FLIGHT",
    schema: amount,
    about: "Calls at the same time, likewise.",
  },
  promptPrice: {
    env: "LLM_PRICE_PROMPT",
    schema: price,
    about: "What a million tokens of prompts cost, in any currency. Unset: costs are not counted.",
  },
  completionPrice: {
    env: "LLM_PRICE_COMPLETION",
    schema: price,
    about: "What a million tokens of answers cost, in the same currency.",
  },
  modelTimeoutMs: {
    env: "MODEL_TIMEOUT_MS",
    schema: wholeNumber({ min: 100, max: 120 * SECOND_MS, preset: 45 * SECOND_MS }),
    about: "A model call takes no longer, in ms. Default 45000.",
  },
  maxAttempts: {
    env: "MAX_ATTEMPTS",
    schema: wholeNumber({ min: 1, max: 100, preset: 5 }),
    about: "Model calls for one question, rate limits not counted. Default 5.",
  },
  regenThreshold: {
    env: "REGEN_THRESHOLD",
    schema: points,
    about: "An answer with a lower score is generated again, 0 to 10. Default 6.",
  },
  greatestAgeMs: {
    env: "GREATEST_AGE_MS",
    schema: wholeNumber({ min: SECOND_MS, max: 23 * HOUR_MS, preset: 12 * HOUR_MS }),
    about: "A question older than this is not tried again, in ms. Default 43200000 (12 h).",
  },
  rateLimitBaseMs: {
    env: "RETRY_RATE_LIMIT_BASE_MS",
    schema: wholeNumber({ min: 1, max: HOUR_MS, preset: 2 * SECOND_MS }),
    about: "First wait after a rate limit, in ms; doubles with each. Default 2000.",
  },
  failureBaseMs: {
    env: "RETRY_FAILURE_BASE_MS",
    schema: wholeNumber({ min: 1, max: HOUR_MS, preset: 5 * SECOND_MS }),
    about: "Wait after the first other failure, in ms; grows by itself with each. Default 5000.",
  },
  retryCapMs: {
    env: "RETRY_CAP_MS",
    schema: wholeNumber({ min: 1, max: 6 * HOUR_MS, preset: 600 * SECOND_MS }),
    about: "No wait of our own choosing is longer, in ms; a longer Retry-After is kept. Default 600000.",
  },
  lookup: {
    env: "LOOKUP",
    schema: lookup,
    about: "Where to look for an answer, in this order. Default db,cache.",
  },
  redisUrl: {
    env: "UPSTASH_REDIS_REST_URL",
    schema: url,
    about: "Redis over Upstash's HTTP API. Unset: a cache inside each process.",
  },
  redisToken: {
    env: "UPSTASH_REDIS_REST_TOKEN",
    schema: text,
    about: "The token of that API.",
    secret: true,
  },
  cacheTtlS: {
    env: "CACHE_TTL_S",
    schema: wholeNumber({ min: 1, max: 365 * 86_400, preset: 86_400 }),
    about: "How long the cache keeps a result, in seconds. Default 86400.",
  },
  cacheTimeoutMs: {
    env: "CACHE_TIMEOUT_MS",
    schema: wholeNumber({ min: 1, max: 10 * SECOND_MS, preset: 250 }),
    about: "A cache that takes longer is a miss, in ms. Default 250.",
  },
  cacheJitter: {
    env: "CACHE_TTL_JITTER_PERCENT",
    schema: wholeNumber({ min: 0, max: 90, preset: 10 }),
    about: "Each result is kept shorter by up to this share, so that not all go at once, in %. Default 10.",
  },
  mostPatienceS: {
    env: "WAIT_MOST_S",
    schema: wholeNumber({ min: 0, max: 240, preset: 30 }),
    about: "Prefer: wait=… keeps an asker waiting no longer, in seconds; 0 switches it off. Default 30.",
  },
  mostFollowers: {
    env: "FOLLOWERS_MOST",
    schema: wholeNumber({ min: 0, max: 100_000, preset: 2_000 }),
    about: "Requests that wait for an answer and event streams, at most, in this process. Default 2000.",
  },
  admitWaitS: {
    env: "ADMIT_WAIT_S",
    schema: wholeNumber({ min: 1, max: 86_400, preset: 900 }),
    about:
      "While a new question would wait longer than this for those before it, the door answers 503, in seconds. Default 900.",
  },
  keepEveryMs: {
    env: "CLAIM_CHECK_MS",
    schema: wholeNumber({ min: 50, max: 60 * SECOND_MS, preset: 2 * SECOND_MS }),
    about: "How often unpublished claims and dead letters are looked for, in ms. Default 2000.",
  },
  claimGraceMs: {
    env: "CLAIM_GRACE_MS",
    schema: wholeNumber({ min: SECOND_MS, max: HOUR_MS, preset: 10 * SECOND_MS }),
    about: "A claim unpublished for longer is published again, in ms. Default 10000.",
  },
  offlineAnswers: {
    env: "OFFLINE_ANSWERS",
    schema: text,
    about: "A file of recorded answers (EVOUNA format) that the offline model repeats. Default none.",
  },
  offlineSystems: {
    env: "OFFLINE_SYSTEMS",
    schema: v.pipe(
      v.optional(v.string(), "gpt35,gpt4"),
      v.transform((list) => list.split(",").map((part) => part.trim())),
    ),
    about: "Whose recorded answers, the first attempt's first. Default gpt35,gpt4.",
  },
  offlineFaults: {
    env: "OFFLINE_FAULTS",
    schema: v.pipe(
      v.optional(v.string(), ""),
      v.regex(/^$|^ *\w+=[\d.]+( *, *\w+=[\d.]+)* *$/, "expected such as rate_limit=0.2,timeout=0.05"),
    ),
    about:
      "Shares of calls that the offline model lets go wrong, such as rate_limit=0.2,timeout=0.05. Default none.",
  },
  offlineScript: {
    env: "OFFLINE_SCRIPT",
    schema: v.optional(v.string(), "[]"),
    about:
      'What the offline model replies, as JSON: [{"match": "part of a title", "replies": ["rate_limit:2s", "ok"]}].',
  },
  offlineSeed: {
    env: "OFFLINE_SEED",
    schema: v.optional(v.string(), "1"),
    about: "Decides which calls OFFLINE_FAULTS hits. Default 1.",
  },
  offlineLatencyMs: {
    env: "OFFLINE_LATENCY_MS",
    schema: wholeNumber({ min: 0, max: 60 * SECOND_MS, preset: 0 }),
    about: "How long the offline model takes for an answer, in ms. Default 0.",
  },
  offlineTrace: {
    env: "OFFLINE_TRACE",
    schema: text,
    about:
      "A trace (TIMESTAMP,ContextTokens,GeneratedTokens) whose token counts drive the offline model's latency.",
  },
  offlineReadTokensPerS: {
    env: "OFFLINE_READ_TOKENS_PER_S",
    schema: wholeNumber({ min: 1, max: 10_000_000, preset: 10_000 }),
    about:
      "With OFFLINE_TRACE: how many tokens of a prompt the offline model reads per second. Default 10000.",
  },
  offlineWriteTokensPerS: {
    env: "OFFLINE_WRITE_TOKENS_PER_S",
    schema: wholeNumber({ min: 1, max: 10_000_000, preset: 100 }),
    about: "With OFFLINE_TRACE: how many tokens of an answer it writes per second. Default 100.",
  },
} as const;
