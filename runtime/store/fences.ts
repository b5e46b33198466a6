/**
 * Fences: keys of a handler that are held back while one of their messages waits for its retry.
 *
 * In: messages of such keys. Out: whose turn it is. While a fence stands, its key's messages wait in the order in which they
 * came, and one at a time passes. Two forms stand behind it, beside those of the store, under one contract suite.
 * Never here: which messages fail, the memory of what is fenced (engine/fence.ts).
 */
import type { Place, ScheduledMessage } from "./message.ts";

export type { Place } from "./message.ts";

/**
 * What became of a message at a fence. `free`: nothing holds it, it runs now. `raised`: it is the first at a new fence and waits
 * as a row of the schedule. `held`: it waits behind the fence and comes back by itself. `known`: this delivery stands
 * there already, or did. `full`: too many wait; it must be offered again later.
 */
export type Standing = "free" | "raised" | "held" | "known" | "full";

export interface Fences {
  /**
   * Messages that wait for their retry: each makes a fence for its key and waits as a row, in one transaction. Where one stands
   * already it is held behind it. A key must not be null.
   */
  raise(messages: readonly ScheduledMessage[]): Promise<readonly ("raised" | "held" | "known")[]>;
  /** Puts a message behind the fence of its key, to come back as given when its turn comes; `delayMs` is not looked at. */
  hold(message: ScheduledMessage): Promise<"free" | "held" | "known" | "full">;
  /**
   * A message came back with a place: may it run now? `held` keeps it until its turn; it must not be run then. `gone`: that fence
   * fell, and the message stands nowhere.
   */
  takeTurn(place: Place): Promise<"free" | "held" | "known" | "gone">;
  /** The message at this place is processed or dead: the next one goes, or the fence falls. Repeats change nothing. */
  pass(place: Place): Promise<void>;
  /** Keys of a handler that are fenced, or null where there are more than `most`. */
  keys(handler: string, most: number): Promise<readonly Uint8Array[] | null>;
  /** Calls back when a fence of this handler may have been made elsewhere. Returns a function that ends it. */
  onRaised(handler: string, call: () => void): () => void;
}
