/**
 * Topics that could not be published to: each is tried alone, later and later, so that it does not hold up the others.
 *
 * In: what failed and what went well, with the monotonic time. Out: which topics may be claimed together, which alone.
 * Pure but for the randomness handed in. Never here: waiting, logging.
 */
import type { Random } from "../ground/clock.ts";

export interface Trouble {
  /** Topics to claim together. */
  readonly sound: readonly string[];
  /** Topics in trouble. */
  readonly troubled: readonly string[];
  /** Topics in trouble whose pause is over: claim each alone. */
  ripe(nowMs: number): readonly string[];
  /** How long until the next topic is ripe; null where none is in trouble. */
  ripeInMs(nowMs: number): number | null;
  failed(topics: readonly string[], nowMs: number): void;
  recovered(topic: string): void;
}

export function trackTrouble(topics: readonly string[], random: Random): Trouble {
  const pauses = new Map<string, { readonly tries: number; readonly untilMs: number }>();
  return {
    get sound() {
      return topics.filter((topic) => !pauses.has(topic));
    },
    get troubled() {
      return [...pauses.keys()];
    },
    ripe: (nowMs) => [...pauses].flatMap(([topic, { untilMs }]) => (untilMs <= nowMs ? [topic] : [])),
    ripeInMs(nowMs) {
      if (pauses.size === 0) return null;
      return Math.max(0, Math.min(...[...pauses.values()].map(({ untilMs }) => untilMs)) - nowMs);
    },
    failed(failedTopics, nowMs) {
      for (const topic of failedTopics) {
        const tries = (pauses.get(topic)?.tries ?? 0) + 1;
        pauses.set(topic, { tries, untilMs: nowMs + backoffMs(tries, random) });
      }
    },
    recovered: (topic) => void pauses.delete(topic),
  };
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** 100 ms doubling to 5 s, between half and all of it by chance. */
export function backoffMs(tries: number, random: Random): number {
  const grownMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 10), LONGEST_PAUSE_MS);
  return grownMs * (0.5 + random() / 2);
}
