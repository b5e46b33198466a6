/**
 * May one more question come in? Not when those before it keep it waiting for longer than anybody should.
 *
 * In: how long the line is, the longest wait that is allowed. Out: nothing, or TooBusy with the time after which the line will
 * be short enough, if nobody else is let in before. Answers that are known and questions that wait already are not asked here.
 */
import { Unavailable } from "cauce";

export class TooBusy extends Unavailable {
  readonly retryAfterSeconds: number;

  constructor(waitMs: number, retryAfterSeconds: number) {
    super(
      `a new question would wait for about ${Math.round(waitMs / 1_000)} s; ask again in ${retryAfterSeconds} s`,
    );
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Nobody is sent away for longer, in seconds: rates change. */
const LONGEST_RETRY_AFTER_SECONDS = 3_600;

/** Why nobody new is let in; null while the line is short enough. */
export function busyWith(expectedWaitMs: number, mostWaitMs: number): TooBusy | null {
  if (expectedWaitMs <= mostWaitMs) return null;
  const tooLongMs = expectedWaitMs - mostWaitMs;
  const seconds = Math.min(LONGEST_RETRY_AFTER_SECONDS, Math.max(1, Math.ceil(tooLongMs / 1_000)));
  return new TooBusy(expectedWaitMs, seconds);
}
