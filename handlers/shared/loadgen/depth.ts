/**
 * How much waits behind the door, as its metrics tell.
 *
 * In: the door. Out: sums of its gauges, or nothing where it has no metrics or does not answer. Never here: a reason to stop.
 */
import type { DoorOptions } from "./door.ts";

export interface Depth {
  /** Records between the committed offset and the end of the partition, all handlers of the door's process. */
  readonly lag: number;
  /** Rows of the schedule, due or not: retries among them. */
  readonly scheduled: number;
}

const DEADLINE_MS = 2_000;

export async function readDepth({ baseUrl, fetch }: DoorOptions): Promise<Depth | undefined> {
  try {
    const response = await fetch(`${baseUrl}/metrics`, { signal: AbortSignal.timeout(DEADLINE_MS) });
    const text = await response.text();
    if (!response.ok) return undefined;
    return {
      lag: sumOf(text, ["cauce_consumer_lag"]),
      scheduled: sumOf(text, ["cauce_schedule_waiting", "cauce_schedule_due"]),
    };
  } catch {
    return undefined;
  }
}

function sumOf(text: string, names: readonly string[]): number {
  return text.split("\n").reduce((sum, line) => {
    const match = /^(\w+)(?:\{.*\})? (\S+)$/.exec(line);
    const value = Number(match?.[2]);
    // Below 0: a partition of which nothing is known yet.
    return match && names.includes(match[1] ?? "") && value > 0 && Number.isFinite(value) ? sum + value : sum;
  }, 0);
}
