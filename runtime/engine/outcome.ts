/**
 * What can become of a message, as data. *Process* decides it, *settle* carries it out.
 */
import type { OutgoingRecord } from "../bus/bus.ts";
import type { DeadLetter, ScheduledMessage } from "../store/store.ts";

/** An output that is ready to be published. */
export interface Output {
  readonly messageId: string;
  readonly record: OutgoingRecord;
  readonly bornAtMs: number;
}

/** It went well: outputs to publish and outputs that wait; both may be empty. */
export interface Done {
  readonly kind: "done";
  readonly publish: readonly Output[];
  readonly schedule: readonly ScheduledMessage[];
}

export type Outcome =
  | Done
  /** Back to the same handler at its due time. */
  | { readonly kind: "retry"; readonly schedule: ScheduledMessage }
  /** The end, with its reason. */
  | { readonly kind: "dead"; readonly letter: DeadLetter }
  /** Something it needs is away: nothing is settled, the same message is run again. */
  | { readonly kind: "unavailable"; readonly reason: string }
  /** Work was stopped from outside: nothing is settled, someone will run it again. */
  | { readonly kind: "aborted" };

/** The outcomes that settle a message for good. */
export type Settled = Extract<Outcome, { kind: "done" | "retry" | "dead" }>;

export function isSettled(outcome: Outcome): outcome is Settled {
  return outcome.kind !== "unavailable" && outcome.kind !== "aborted";
}
