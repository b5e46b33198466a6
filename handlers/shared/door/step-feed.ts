/**
 * The steps of questions as they happen, for everybody in this process who follows one: one LISTEN and one query at a time,
 * however many follow.
 *
 * In: the repository, announcements of new rows. Out: to each follower its question's rows in order, and a word when the question
 * may have ended. Announcements can be lost, and so can rows: every two seconds it looks by itself. While nobody follows it asks
 * nothing. Never here: HTTP, what an end is (the follower asks).
 */
import { Unavailable, type Log } from "cauce";
import type { Repository } from "../storage/repository.ts";
import type { StepRow } from "../storage/step-history.ts";

export interface Follower {
  /** Later rows of its question, in order. Must not throw. */
  readonly steps?: (rows: readonly StepRow[]) => void;
  /** The question may have ended: worth a look. Must not throw. */
  readonly mayHaveEnded: () => void;
}

export interface StepFeed {
  /**
   * From the moment it resolves no row is missed: what was there before must be read by the follower, after this. The returned
   * function ends it.
   * @throws Unavailable while the database is away, or when `most` follow already.
   */
  follow(id: string, follower: Follower): Promise<() => void>;
  /** This process knows that the question has ended: those who follow it here need not wait for a row. */
  ended(id: string): void;
  /** How many follow now. */
  readonly followers: number;
  close(): Promise<void>;
}

export interface StepFeedOptions {
  readonly repository: Pick<Repository, "newestStep" | "stepsAfter" | "endedAmong">;
  /** Begins to listen for new rows. Called when the first follower comes, once. */
  readonly listen: (heard: () => void) => { close(): Promise<void> };
  readonly clock: { after(delayMs: number, call: () => void): () => void };
  readonly log: Log;
  /** Followers at most. */
  readonly most: number;
  /** It looks by itself this often while somebody follows, in ms. Default 2000. */
  readonly recheckMs?: number;
}

const ROWS_AT_ONCE = 1_000;
/** Steps after which a question may have ended. */
const MAY_END = new Set(["stored", "failed", "dead"]);

export function createStepFeed(options: StepFeedOptions): StepFeed {
  const { repository, clock, log, most, recheckMs = 2_000 } = options;
  const byQuestion = new Map<string, Set<Follower>>();
  let followers = 0;
  let listening: { close(): Promise<void> } | null = null;
  let starting: Promise<void> | null = null;
  /** The last row that was looked at; null while nobody follows. */
  let seen: bigint | null = null;
  let looking: Promise<void> | null = null;
  let again = false;
  let cancelRecheck: (() => void) | null = null;
  const closing = new AbortController();

  const start = async () => {
    if (seen === null) seen = await repository.newestStep();
    listening ??= options.listen(look);
    cancelRecheck ??= clock.after(recheckMs, recheck);
  };
  const stop = () => {
    seen = null;
    cancelRecheck?.();
    cancelRecheck = null;
  };
  function recheck(): void {
    cancelRecheck = null;
    if (closing.signal.aborted || followers === 0) return;
    cancelRecheck = clock.after(recheckMs, recheck);
    look();
    sweep();
  }
  /** Ends that left no row here: a row that was lost, a question that an operator ended. */
  function sweep(): void {
    repository.endedAmong([...byQuestion.keys()]).then(
      (ids) => ids.forEach(tellEnd),
      () => {},
    );
  }
  function look(): void {
    again = true;
    if (closing.signal.aborted || looking !== null) return;
    looking = readOn()
      .catch((thrown: unknown) => {
        // The database is away: the next look begins where this one ended.
        log.debug("steps could not be read", {
          why: thrown instanceof Error ? thrown.message : String(thrown),
        });
      })
      .finally(() => {
        looking = null;
      });
  }
  async function readOn(): Promise<void> {
    while (again && seen !== null && !closing.signal.aborted) {
      again = false;
      const {
        steps,
        seen: upTo,
        more,
      } = await repository.stepsAfter({
        ids: [...byQuestion.keys()],
        after: seen,
        limit: ROWS_AT_ONCE,
      });
      // Meanwhile the last one may have left.
      if (seen === null) return;
      seen = upTo;
      again ||= more;
      for (const [id, rows] of Map.groupBy(steps, (step) => step.id)) tell(id, rows);
    }
  }
  function tell(id: string, rows: readonly StepRow[]): void {
    for (const follower of byQuestion.get(id) ?? []) follower.steps?.(rows);
    if (rows.some(({ step }) => MAY_END.has(step))) tellEnd(id);
  }
  function tellEnd(id: string): void {
    for (const follower of byQuestion.get(id) ?? []) follower.mayHaveEnded();
  }

  return {
    async follow(id, follower) {
      if (followers >= most) throw new Unavailable("too many follow questions already");
      followers++;
      const mine = byQuestion.get(id) ?? new Set();
      byQuestion.set(id, mine.add(follower));
      const leave = () => {
        if (!mine.delete(follower)) return;
        if (mine.size === 0) byQuestion.delete(id);
        if (--followers === 0) stop();
      };
      try {
        await (starting ??= start().finally(() => {
          starting = null;
        }));
      } catch (thrown) {
        leave();
        throw thrown;
      }
      return leave;
    },
    ended: tellEnd,
    get followers() {
      return followers;
    },
    async close() {
      closing.abort();
      stop();
      await looking;
      await listening?.close();
    },
  };
}
