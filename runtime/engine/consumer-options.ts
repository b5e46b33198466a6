/**
 * What a consumer is given, and what it says of itself.
 */
import type { Bus, TopicPartition } from "../bus/bus.ts";
import type { Store } from "../store/store.ts";
import type { Watch } from "../watchdog/watch.ts";
import type { Neighbours } from "./neighbours.ts";
import type { Settled } from "./outcome.ts";
import type { Processed, Processing } from "./process.ts";

export interface ConsumerOptions extends Omit<Processing, "deadlines"> {
  readonly bus: Bus;
  readonly store: Pick<Store, "schedule" | "bury" | "fences" | "turns" | "onResume">;
  /** The handlers of this process. Default: it is alone. */
  readonly neighbours?: Neighbours;
  /** Told what runs, and asked what may run. */
  readonly watch?: Watch;
  /** See `Settling.detour`. */
  readonly detour?: () => boolean;
  /** Told after a message was settled. */
  readonly settled?: (processed: Processed, outcome: Settled, elapsedMs: number) => void;
}

export interface ConsumerState {
  readonly handler: string;
  readonly ready: boolean;
  readonly inFlight: number;
  readonly buffered: number;
  readonly pausedPartitions: number;
  /** Records that came again and were not run, because an earlier owner had finished them. */
  readonly skipped: number;
  /** Keys that are held back; -1 where they are too many to remember, null where none ever is. */
  readonly fencedKeys: number | null;
  /** Is it paused because it fails at most messages? */
  readonly broken: boolean;
  /** Why nothing is taken at the moment, or null: something that the handler needs is away. */
  readonly waitingFor: string | null;
  /** Partitions whose next offset is gone: they stand still until an operator gives the group another one. */
  readonly outOfRange: readonly string[];
  readonly lag: readonly (TopicPartition & { readonly records: number })[];
}
