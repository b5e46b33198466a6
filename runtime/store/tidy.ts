/**
 * Keeps the schedule small and its fences moving, beside the work of whoever has a scheduler.
 *
 * In: a way to run a statement. Out: how many keys were removed, how many fences sent their next message again.
 * Never here: rows that wait.
 */
import type { Clock } from "../ground/clock.ts";
import { messageOf } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";
import type { Run } from "./connection.ts";
import type { StoreLimits } from "./limits.ts";
import type { Statements } from "./statements.ts";

export interface TidyOptions {
  readonly run: Run;
  readonly app: string;
  readonly statements: Statements;
  readonly limits: StoreLimits;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Tidy {
  /** Does both when it is time; a failure is tried again the next time. */
  sometimes(): void;
  /** Removes budgets too that nobody has asked for as long. */
  readonly purgeKeys: () => Promise<number>;
  readonly releaseStuck: () => Promise<number>;
  /** Resolves when nothing of it runs. */
  done(): Promise<unknown>;
}

export function tidyFor({ run, app, statements, limits, clock, log }: TidyOptions): Tidy {
  let lastAtMs = clock.monotonicMs();
  let running: Promise<unknown> | undefined;

  async function purgeKeys(): Promise<number> {
    let total = 0;
    for (let batch = 0; batch < limits.purgeBatches; batch++) {
      const [row] = await run<{ purged: number }>(statements.purgeKeys, [
        limits.tombstoneMs,
        limits.purgeBatch,
      ]);
      total += row?.purged ?? 0;
      if ((row?.purged ?? 0) < limits.purgeBatch) break;
    }
    await run(statements.purgeBudgets, [limits.tombstoneMs, limits.purgeBatch]);
    return total;
  }

  async function releaseStuck(): Promise<number> {
    const [row] = await run<{ released: number }>(statements.releaseStuck, [app, limits.stuckFenceMs]);
    const released = row?.released ?? 0;
    if (released > 0)
      log.warn("fenced keys had not moved for long; what is next at each was sent again", { released });
    return released;
  }

  return {
    sometimes() {
      if (running || clock.monotonicMs() - lastAtMs < limits.purgeEveryMs) return;
      lastAtMs = clock.monotonicMs();
      running = Promise.all([purgeKeys(), releaseStuck()])
        .catch((error: unknown) => log.debug("the schedule was not tidied", { error: messageOf(error) }))
        .finally(() => (running = undefined));
    },
    purgeKeys,
    releaseStuck,
    done: () => Promise.resolve(running),
  };
}
