/**
 * What goes wrong on purpose while questions are asked.
 *
 * In: a running stack and how long asking takes. Out: one worker killed and started again, Postgres restarted, each
 * told as it happens. Never here: repairing anything; that is the runtime's own work.
 */
import { pause, systemClock } from "cauce";
import type { Stack } from "./stack.ts";

export interface FaultOptions {
  readonly stack: Stack;
  /** How long the asking takes, in ms. */
  readonly lengthMs: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Killed at this share of the asking, missing for so long, Postgres restarted at that share. */
const KILL_AT = 0.3;
const MISSING_MS = 5_000;
const RESTART_AT = 0.65;
const VICTIM = "worker 2";

/** @returns how many faults were made; fewer than 2 when `signal` came first. */
export async function makeFaults({ stack, lengthMs, say, signal }: FaultOptions): Promise<number> {
  const killing = async (): Promise<number> => {
    await pause(systemClock, lengthMs * KILL_AT, signal);
    const victim = stack.workers.find(({ name }) => name === VICTIM);
    if (victim === undefined || signal.aborted) return 0;
    await victim.kill();
    say(`! ${victim.name} (${victim.run}) was killed with kill -9`);
    await pause(systemClock, MISSING_MS, signal);
    if (signal.aborted) return 1;
    await victim.restart();
    say(`! ${victim.name} is back`);
    return 1;
  };
  const restarting = async (): Promise<number> => {
    await pause(systemClock, lengthMs * RESTART_AT, signal);
    if (signal.aborted) return 0;
    say("! Postgres is restarted under everybody's hands");
    await stack.postgres.restart("immediate");
    say("! Postgres is back");
    return 1;
  };
  const made = await Promise.all([killing(), restarting()]);
  return made.reduce((sum, one) => sum + one, 0);
}
