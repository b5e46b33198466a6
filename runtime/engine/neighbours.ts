/**
 * The handlers of one process, which share its event loop and its processors: one of which everything fails could take all of both.
 *
 * In: which handler took records. Out: whether another one has work, and a store that is told so. Never here: what giving way is (the
 * store's).
 */
import type { Clock } from "../ground/clock.ts";
import type { Store } from "../store/store.ts";
import { LIMITS } from "./limits.ts";

export class Neighbours {
  readonly #clock: Clock;
  readonly #tookAtMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** This handler has taken records. */
  took(handler: string): void {
    this.#tookAtMs.set(handler, this.#clock.monotonicMs());
  }

  /** Has any other handler taken records lately? */
  work(handler: string): boolean {
    const sinceMs = this.#clock.monotonicMs() - LIMITS.neighbourMs;
    for (const [name, atMs] of this.#tookAtMs) if (name !== handler && atMs > sinceMs) return true;
    return false;
  }

  /** The store for this handler's rows: they give way while others work. */
  over(handler: string, store: Pick<Store, "schedule" | "bury">): Pick<Store, "schedule" | "bury"> {
    return {
      schedule: (messages) => store.schedule(messages, { giveWay: this.work(handler) }),
      bury: (letters) => store.bury(letters),
    };
  }
}
