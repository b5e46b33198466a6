/**
 * One run of the load generator, as its sending and its following half see it.
 *
 * In and out: nothing; a declaration. Never here: behaviour.
 */
import type { Clock } from "cauce";
import type { DoorOptions } from "./door.ts";
import type { Ledger } from "./ledger.ts";

export interface Run {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly door: DoorOptions;
  readonly signal: AbortSignal;
  readonly stallMs: number;
  /** Sends that are not acknowledged yet. */
  readonly sending: Set<Promise<void>>;
  /** Start, by the wall clock and by the monotonic one. */
  readonly startMs: number;
  readonly startTick: number;
  /** When something last moved: an acknowledgement or an end. */
  movedTick: number;
}
