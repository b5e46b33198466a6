/**
 * Doors that are asked: started for a turn, asked as fast as they answer, then at a rate.
 *
 * In: a stage, how to start one. Out: answers a second and their p99. Never here: what is compared.
 */
import { join } from "node:path";
import { freePort } from "../../tests/services/port.ts";
import type { Asking, AskerWork } from "../reference/asker.ts";
import { runChild, withChild, type ChildOptions } from "./child.ts";
import type { Stage } from "./stage.ts";

const CONNECTIONS = 64;
/** Questions that have their answers where hits are asked for. */
export const KNOWN = 2_000;
/** Of the cache's front. */
export const TOKEN = "bench";
/** Questions taken, or answers found by way of Postgres or of the cache. */
export type Kind = "asks" | "db" | "cache";

export interface Turn {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly faults: number;
}

/** Starts a door for each of its turns, asks it as fast as it answers, then at a rate. */
export function oneDoor(
  turns: { readonly kind: Kind; readonly stage: Stage; rate: number | null },
  title: string,
  start: (port: number) => ChildOptions,
) {
  const { stage, kind } = turns;
  let sent = 0;
  const asking = async (url: string, rate: number | null): Promise<Asking> => {
    const work: AskerWork = {
      url,
      first: kind === "asks" ? sent : 0,
      known: kind === "asks" ? null : KNOWN,
      connections: CONNECTIONS,
      warmMs: stage.quick ? 1_000 : 3_000,
      forMs: stage.quick ? 3_000 : 10_000,
      rate,
    };
    const told = await runChild<Asking>({
      command: [process.execPath, join(import.meta.dir, "../reference/asker.ts"), JSON.stringify(work)],
    });
    sent += told.sent;
    return told;
  };
  return {
    sent: () => sent,
    turn: async (
      port = freePort(),
      around: <Result>(ask: () => Promise<Result>) => Promise<Result> = (ask) => ask(),
    ): Promise<Turn> => {
      const url = `http://127.0.0.1:${port}`;
      return await withChild(start(port), async (door) => {
        await opened(url);
        const fast = await asking(url, null);
        turns.rate ??= Math.floor(fast.perSecond / 2);
        const rate = turns.rate;
        const paced = await around(() => asking(url, rate));
        stage.say(
          `  ${title}: ${Math.round(fast.perSecond)}/s; at ${turns.rate}/s p50 ${paced.p50Ms.toFixed(2)} ms, p99 ${paced.p99Ms.toFixed(2)} ms`,
        );
        // In order: killed, it would leave marks unwritten, and its next life would publish those questions again.
        await door.stop();
        return { perSecond: fast.perSecond, p99Ms: paced.p99Ms, faults: fast.faults + paced.faults };
      });
    },
  };
}

export function ourDoor(
  { brokers, library }: Stage,
  {
    port,
    kind,
    url,
    redisUrl,
  }: { readonly port: number; readonly kind: Kind; readonly url: string; readonly redisUrl: string },
): ChildOptions {
  return {
    command: [process.execPath, join(import.meta.dir, "../../runtime/bin/cauce.ts"), "handlers"],
    cwd: join(import.meta.dir, "../.."),
    env: {
      KAFKA_BROKERS: brokers,
      DATABASE_URL: url,
      CAUCE_LIBRDKAFKA: library,
      CAUCE_SUPERVISE: "off",
      LOG_LEVEL: "error",
      RUN: "ingress",
      PORT: String(port),
      LOOKUP: kind === "cache" ? "cache,db" : "db,cache",
      // Nobody works the questions off here.
      ADMIT_WAIT_S: "86400",
      // A question that is new is asked of Postgres alone, as by the bare one.
      ...(kind !== "asks" && { UPSTASH_REDIS_REST_URL: redisUrl, UPSTASH_REDIS_REST_TOKEN: TOKEN }),
    },
  };
}

/** The question that finds out whether a door is open: asked once a door, by any turn. */
export const FIRST_QUESTION = { title: "Is it open?", content: "", best_answer: "Yes." };

/** Resolves when it takes questions: topics and tables are there. */
async function opened(url: string): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  for (;;) {
    const response = await fetch(`${url}/query`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(FIRST_QUESTION),
    }).catch(() => null);
    if (response?.ok === true) return;
    if (performance.now() > deadlineMs) throw new Error(`no door at ${url}`);
    await Bun.sleep(20); // a door tells nobody that it opens
  }
}
