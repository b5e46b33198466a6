/**
 * Hits as steps: the first of a question at once, those that follow within ten seconds as one with their number.
 *
 * A row for each hit costs more than the hit. In: hits. Out: steps for the journal. Never here: anything that an answer depends on.
 */
import type { QuestionStep } from "./storage/steps.ts";

export interface Hit {
  readonly id: string;
  readonly round: number;
  readonly from: "db" | "cache";
  readonly score: number;
}

export interface HitCounterOptions {
  readonly note: (steps: readonly QuestionStep[]) => void;
  readonly clock: { nowMs(): number; after(delayMs: number, call: () => void): () => void };
  /** Default 10,000. */
  readonly windowMs?: number;
}

export interface HitCounter {
  /** Never throws, never waits. */
  count(hit: Hit): void;
  /** Tells what was not told yet. */
  close(): void;
}

/** Questions counted at once; a hit of any further one is told by itself. */
const MOST_QUESTIONS = 10_000;

export function createHitCounter({ note, clock, windowMs = 10_000 }: HitCounterOptions): HitCounter {
  let counted = new Map<string, { readonly hit: Hit; more: number }>();
  let cancel: (() => void) | null = null;

  const tell = ({ id, round, from, score }: Hit, times: number) => {
    const detail = { from, score, ...(times > 1 && { times }) };
    note([{ id, round, step: "hit", atMs: clock.nowMs(), detail }]);
  };
  const flush = () => {
    cancel?.();
    cancel = null;
    const told = counted;
    counted = new Map();
    for (const { hit, more } of told.values()) if (more > 0) tell(hit, more);
  };

  return {
    count(hit) {
      const key = `${hit.id} ${hit.round} ${hit.from}`;
      const known = counted.get(key);
      if (known) {
        known.more++;
        return;
      }
      tell(hit, 1);
      if (counted.size >= MOST_QUESTIONS) return;
      counted.set(key, { hit, more: 0 });
      cancel ??= clock.after(windowMs, flush);
    },
    close: flush,
  };
}
