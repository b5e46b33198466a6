/**
 * What a scheduler says of its work: to the log, once per change, and to whoever counts.
 *
 * In: what happened. Out: lines and calls; topics in trouble are noted on the way. Never here: claims.
 */
import type { Clock } from "../ground/clock.ts";
import { messageOf, type CauceError } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";
import type { DueMessage, Misfit } from "../store/store.ts";
import type { Trouble } from "./trouble.ts";

export interface SchedulerObserver {
  /** One batch is acknowledged and gone from the table. `lateMs` of each is its lateness when it was claimed. */
  readonly published?: (due: readonly DueMessage[]) => void;
  /** Messages that were written by hand do not fit their topics, and are parked. */
  readonly parked?: (misfits: readonly Misfit[]) => void;
  /** A row that can never be published became a dead letter. */
  readonly buried?: (due: DueMessage, error: CauceError) => void;
  /** A claim failed; its rows are back. */
  readonly failed?: (error: unknown) => void;
}

export interface NewsOptions {
  readonly log: Log;
  readonly observe: SchedulerObserver | undefined;
  readonly trouble: Trouble;
  readonly clock: Clock;
}

export function newsOf({ log, observe, trouble, clock }: NewsOptions) {
  return {
    /** A claim is committed: what it took is published, but for the misfits. */
    taken(due: readonly DueMessage[], misfits: readonly Misfit[]): void {
      if (misfits.length === 0) return observe?.published?.(due);
      const parked = new Set(misfits.map(({ due: { row } }) => row));
      observe?.published?.(due.filter(({ row }) => !parked.has(row)));
      observe?.parked?.(misfits);
      for (const { due: misfit, problem } of misfits) {
        const { topic } = misfit.record;
        log.warn(
          "a message that was written by hand does not fit its topic; it is parked until it is put right",
          {
            topic,
            messageId: misfit.messageId,
            row: String(misfit.row),
            problem,
          },
        );
      }
    },
    /** A claim's publish failed, so its topics are tried alone. */
    failed(due: readonly DueMessage[], error: unknown): void {
      const failed = [...new Set(due.map(({ record }) => record.topic))];
      const topics = failed.filter((topic) => !trouble.troubled.includes(topic));
      trouble.failed(failed, clock.monotonicMs());
      if (topics.length > 0) {
        log.warn("due messages cannot be published; they stay in the table and are tried again", {
          topics,
          rows: due.length,
          error: messageOf(error),
        });
      }
    },
    recovered(group: readonly string[]): void {
      for (const topic of group.filter((each) => trouble.troubled.includes(each))) {
        trouble.recovered(topic);
        log.info("due messages can be published again", { topic });
      }
    },
    buried: (due: DueMessage, error: CauceError): void => {
      log.error("a due message can never be published; it is a dead letter now", {
        topic: due.record.topic,
        messageId: due.messageId,
        row: String(due.row),
        error: error.message,
      });
      observe?.buried?.(due, error);
    },
  };
}
