/**
 * Waits until a question has ended, or until the asker's patience has.
 *
 * In: a question's id, a feed of steps. Out: its status when it ended in time, else null. Never here: asking the database again
 * and again: it is asked at the start, whenever the feed says so, and at the end.
 */
import { CauceError } from "cauce";
import type { Repository } from "../storage/repository.ts";
import type { QuestionStatus } from "../storage/status.ts";
import type { StepFeed } from "./step-feed.ts";

export interface Awaiting {
  readonly feed: Pick<StepFeed, "follow">;
  readonly repository: Pick<Repository, "findStatus">;
  readonly clock: { after(delayMs: number, call: () => void): () => void };
}

const ENDS = new Set(["done", "failed", "cancelled"]);

export const hasEnded = ({ state }: Pick<QuestionStatus, "state">): boolean => ENDS.has(state);

/**
 * Null when it has not ended in time, when `signal` aborts, when too many wait already, or when nobody can tell now: waiting
 * is a favour, and the question is kept in any case.
 */
export async function awaitEnd(
  id: string,
  { patienceMs, signal }: { readonly patienceMs: number; readonly signal: AbortSignal },
  { feed, repository, clock }: Awaiting,
): Promise<QuestionStatus | null> {
  let wake = Promise.withResolvers<void>();
  let over = signal.aborted;
  const end = () => {
    over = true;
    wake.resolve();
  };
  signal.addEventListener("abort", end, { once: true });
  const cancel = clock.after(patienceMs, end);
  let leave = () => {};
  try {
    leave = await feed.follow(id, { mayHaveEnded: () => wake.resolve() });
    for (;;) {
      const last = over;
      if (signal.aborted) return null;
      wake = over ? wake : Promise.withResolvers<void>();
      const status = await repository.findStatus(id);
      if (status && hasEnded(status)) return status;
      if (last) return null;
      if (!over) await wake.promise;
    }
  } catch (thrown) {
    if (thrown instanceof CauceError && thrown.code === "unavailable") return null;
    throw thrown;
  } finally {
    leave();
    cancel();
    signal.removeEventListener("abort", end);
  }
}
