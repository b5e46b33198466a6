/**
 * The journal: steps of questions, collected beside the main path and written in batches.
 *
 * In: steps, one by one. Out: rows, some hundred at a time. Bounded and lossy by design: when the database is away or
 * slow, the oldest steps go, and a number says how many. Never here: anything that an answer depends on.
 */
import type { Log } from "cauce";
import type { QuestionStep } from "./storage/steps.ts";

export interface JournalOptions {
  readonly write: (steps: readonly QuestionStep[]) => Promise<void>;
  readonly clock: { after(delayMs: number, call: () => void): () => void };
  readonly log: Log;
  /** Steps kept at most while they wait. Default 10,000. */
  readonly capacity?: number;
  /** How long the first step of a batch waits, in ms. Default 100. */
  readonly lingerMs?: number;
}

export interface Journal {
  /** Never throws, never waits. */
  note(steps: readonly QuestionStep[]): void;
  /** Steps that were lost so far. */
  readonly lost: number;
  /** Writes what is left, once. */
  close(): Promise<void>;
}

const LARGEST_BATCH = 500;

export function createJournal(options: JournalOptions): Journal {
  const { write, clock, log, capacity = 10_000, lingerMs = 100 } = options;
  let waiting: QuestionStep[] = [];
  let lost = 0;
  let cancel: (() => void) | null = null;
  let writing: Promise<void> | null = null;

  const flush = async () => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, LARGEST_BATCH);
      try {
        await write(batch);
      } catch (thrown) {
        lost += batch.length;
        log.warn("steps were not written", {
          steps: batch.length,
          why: thrown instanceof Error ? thrown.message : String(thrown),
        });
      }
    }
  };
  const start = () => {
    cancel = null;
    writing ??= flush().finally(() => {
      writing = null;
      if (waiting.length > 0) arm();
    });
  };
  const arm = () => {
    cancel ??= clock.after(lingerMs, start);
  };

  return {
    note(steps) {
      waiting.push(...steps);
      if (waiting.length > capacity) {
        lost += waiting.length - capacity;
        waiting = waiting.slice(-capacity);
      }
      if (waiting.length > 0) arm();
    },
    get lost() {
      return lost;
    },
    async close() {
      cancel?.();
      await writing;
      await flush();
      cancel?.();
      cancel = null;
    },
  };
}
