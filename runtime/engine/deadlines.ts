/**
 * Deadlines that all lie equally far away: one timer for thousands of runs.
 *
 * In: a call per run, in the order in which they start. Out: the call, once its time is over, unless it was taken back.
 * They become due in the order in which they were set, so only the oldest needs a timer.
 */
import type { Clock } from "../ground/clock.ts";

export interface Deadline {
  readonly atMs: number;
  readonly passed: () => void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #afterMs: number;
  /** Oldest first, as a set keeps its members. */
  readonly #open = new Set<Deadline>();
  #cancel: (() => void) | null = null;

  constructor(options: { readonly clock: Clock; readonly afterMs: number }) {
    this.#clock = options.clock;
    this.#afterMs = options.afterMs;
  }

  set(passed: () => void): Deadline {
    const deadline = { atMs: this.#clock.monotonicMs() + this.#afterMs, passed };
    this.#open.add(deadline);
    this.#cancel ??= this.#clock.after(this.#afterMs, () => this.#look());
    return deadline;
  }

  /** The timer stays: it looks for the next oldest when it fires. */
  takeBack(deadline: Deadline): void {
    this.#open.delete(deadline);
  }

  /** Ends the timer; what is open never passes. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#open.clear();
  }

  #look(): void {
    this.#cancel = null;
    const nowMs = this.#clock.monotonicMs();
    for (const deadline of this.#open) {
      // A timer may fire a fraction of a millisecond early.
      if (deadline.atMs > nowMs + 1) {
        this.#cancel = this.#clock.after(deadline.atMs - nowMs, () => this.#look());
        return;
      }
      this.#open.delete(deadline);
      deadline.passed();
    }
  }
}
