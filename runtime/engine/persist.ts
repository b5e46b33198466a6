/**
 * Patience with infrastructure: the same call again until it succeeds, the caller stops, or waiting cannot help.
 *
 * A broker or a database that is away costs time, never an attempt of a message.
 */
import { pause, type Clock, type Random } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";

export interface Patience {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Told of each failure: once a call may be enough for a log, all count. */
  readonly failed?: (error: CauceError, tries: number) => void;
}

/** A handler's patience: the first failure of a call is said, the others are not. */
export function patienceOf({ clock, random, log, handler }: PatienceOptions, signal: AbortSignal): Patience {
  return {
    clock,
    random,
    signal,
    failed({ code, message }, tries) {
      if (tries === 1)
        log.warn("waiting for infrastructure", { handler: handler.name, code, error: message });
    },
  };
}

interface PatienceOptions extends Pick<Patience, "clock" | "random"> {
  readonly log: Log;
  readonly handler: { readonly name: string };
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Errors after which the very same call is right. An unknown outcome is one: ids are stable, so a repeat is harmless. A statement
 * that Postgres refuses is another: somebody changed a table or a right, and to go on without the row would lose it.
 */
function mayHelp(error: unknown): error is CauceError {
  return (
    error instanceof CauceError &&
    (error.retryable ||
      error.code === "possibly_persisted" ||
      error.code === "producer_fatal" ||
      error.code === "broker" ||
      error.code === "database")
  );
}

/** @throws what the call throws when waiting cannot help, or CauceError `aborted` when the signal stops it. */
export async function persist<Result>(call: () => Promise<Result>, patience: Patience): Promise<Result> {
  for (let tries = 1; ; tries++) {
    if (patience.signal.aborted) throw new CauceError("aborted", "stopped while waiting for infrastructure");
    try {
      return await call();
    } catch (error) {
      if (!mayHelp(error)) throw error;
      patience.failed?.(error, tries);
      const grownMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 10), LONGEST_PAUSE_MS);
      await pause(patience.clock, grownMs * (0.5 + patience.random() / 2), patience.signal);
    }
  }
}
