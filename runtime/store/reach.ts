/**
 * Waits for a database that is away at the start.
 *
 * In: what needs it. Out: its success, or an error that waiting does not change. Never here: what is done there.
 */
import { pause, type Clock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";

export interface Reach {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal | undefined;
  /** Told of each failure, before the next try. */
  readonly waiting: ((failure: CauceError, tries: number) => void) | undefined;
}

/**
 * Said at the first failure, whenever the reason changes, and every tenth time.
 * @throws CauceError `aborted` by the signal, else what waiting does not help.
 */
export async function reached(
  call: () => Promise<unknown>,
  { clock, log, signal, waiting }: Reach,
): Promise<void> {
  let said = "";
  for (let tries = 1; ; tries++) {
    if (signal?.aborted) throw new CauceError("aborted", "stopped while waiting for Postgres");
    try {
      await call();
      if (tries > 1) log.info("Postgres is there", { tries });
      return;
    } catch (error) {
      if (!(error instanceof CauceError) || !error.retryable) throw error;
      waiting?.(error, tries);
      if (error.message !== said || tries % 10 === 0) log.warn(`${error.message}; trying again`, { tries });
      said = error.message;
      await pause(clock, Math.min(100 * 2 ** Math.min(tries - 1, 6), 5_000), signal);
    }
  }
}
