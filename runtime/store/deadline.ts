/**
 * A deadline around a promise. The work behind it is not stopped; its result is no longer waited for.
 */
import type { Clock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";

export interface Deadline {
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** Called when the time is up; the promise rejects with what it returns. */
  readonly expired: () => CauceError;
}

export async function within<Result>(work: Promise<Result>, deadline: Deadline): Promise<Result> {
  const late = Promise.withResolvers<never>();
  const cancel = deadline.clock.after(deadline.deadlineMs, () => late.reject(deadline.expired()));
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    cancel();
  }
}

/** The deadline of a claim's publish. */
export function publishDeadline(deadlineMs: number, clock: Clock): Deadline {
  const words = `due messages were not acknowledged within ${deadlineMs} ms, so their rows go back`;
  return { clock, deadlineMs, expired: () => new CauceError("unavailable", words, { retryable: true }) };
}
