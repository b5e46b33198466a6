/**
 * A provider with a token bucket, as most have one: an OpenAI-compatible model on loopback that answers 429 when it is empty.
 *
 * In: chat completions. Out: short answers after a moment, or 429 with Retry-After in whole seconds; a count of both.
 */
export interface BucketProvider {
  /** Up to and with the version. */
  readonly baseUrl: string;
  readonly tally: Tally;
  stop(): Promise<void>;
}

export interface Tally {
  answered: number;
  refused: number;
  /** When the first call came and the last one that was taken, on the monotonic clock. */
  firstMs: number;
  lastMs: number;
  /** Calls under way, at most. */
  mostAtOnce: number;
}

export interface Bucket {
  readonly perSecond: number;
  readonly burst: number;
  /** How long an answer takes. */
  readonly latencyMs: number;
}

export function startBucketProvider({ perSecond, burst, latencyMs }: Bucket): BucketProvider {
  const tally: Tally = { answered: 0, refused: 0, firstMs: 0, lastMs: 0, mostAtOnce: 0 };
  let tokens = burst;
  let filledMs = performance.now();
  let atOnce = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch() {
      const nowMs = performance.now();
      tally.firstMs ||= nowMs;
      tokens = Math.min(burst, tokens + ((nowMs - filledMs) / 1_000) * perSecond);
      filledMs = nowMs;
      if (tokens < 1) {
        tally.refused++;
        const waitS = Math.ceil((1 - tokens) / perSecond);
        const error = { message: "rate limit reached", code: "rate_limit_exceeded" };
        return Response.json({ error }, { status: 429, headers: { "retry-after": String(waitS) } });
      }
      tokens--;
      tally.answered++;
      tally.lastMs = nowMs;
      tally.mostAtOnce = Math.max(tally.mostAtOnce, ++atOnce);
      await Bun.sleep(latencyMs);
      atOnce--;
      const message = { role: "assistant", content: "Forty boats cross the bay every day." };
      const usage = { prompt_tokens: 100, completion_tokens: 10 };
      return Response.json({ model: "bucket-1", choices: [{ message, finish_reason: "stop" }], usage });
    },
  });
  return { baseUrl: `http://127.0.0.1:${server.port}/v1`, tally, stop: () => server.stop(true) };
}
