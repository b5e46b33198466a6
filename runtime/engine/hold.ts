/**
 * Holds a handler's runs back while its breaker is open, and lets one at a time through as a probe.
 *
 * In: how runs ended. Out: who may go on, and when; an alarm in the log. Offsets stay where they are and no attempt is
 * spent meanwhile: what failed is run again. Never here: when a breaker opens (breaker.ts).
 */
import type { IncomingRecord } from "../bus/bus.ts";
import type { Clock } from "../ground/clock.ts";
import type { Log } from "../ground/log.ts";
import { Breaker } from "./breaker.ts";
import { LIMITS } from "./limits.ts";
import type { OwnedPartition } from "./partition.ts";

export interface HoldOptions {
  readonly handler: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Told whenever new runs may start, or may not any more. */
  readonly gate: () => void;
}

type Word = "go" | "probe" | "left";

export class Hold {
  readonly #options: HoldOptions;
  readonly #breaker = new Breaker(LIMITS.breaker);
  /** Runs that are held, who waited longest first. */
  readonly #held = new Set<(word: Word) => void>();
  #cancel: (() => void) | null = null;
  /** A probe is due and none is held: the next new run is it. */
  #inviting = false;
  #probes = 0;

  constructor(options: HoldOptions) {
    this.#options = options;
  }

  get open(): boolean {
    return this.#breaker.open;
  }

  /** May new runs start? */
  get admits(): boolean {
    return !this.#breaker.open || this.#inviting;
  }

  /** Why nothing starts, in words. */
  get reason(): string {
    return `it fails at most messages; one is tried every ${LIMITS.breaker.probeMs / 1_000} s`;
  }

  /** Waits while the breaker is open: `probe` makes the caller the one that is tried, `left` ends its work. */
  wait(partition: OwnedPartition): Promise<Word> {
    if (!this.#breaker.open) return Promise.resolve("go");
    if (this.#inviting) {
      this.#inviting = false;
      this.#breaker.probe();
      this.#options.gate();
      return Promise.resolve("probe");
    }
    return new Promise((resolve) => {
      const leave = () => answer("left");
      const answer = (word: Word) => {
        this.#held.delete(answer);
        partition.onLeave.delete(leave);
        resolve(word);
      };
      this.#held.add(answer);
      partition.onLeave.add(leave);
      if (!partition.active) leave();
      this.#arm();
    });
  }

  /** A run went well. @returns false where it matters whose it was: `note` must be told. */
  noteGood(): boolean {
    return this.#breaker.noteGood();
  }

  /** A run ended. `failed` is null where it says nothing about the handler's own code. */
  note(messageId: string, failed: boolean | null, error: string): void {
    // Only a failure can open it, so only a failure needs the time.
    if (failed === null || !this.#breaker.note(messageId, failed, failed ? this.#nowMs : 0)) return;
    const { handler, log, gate } = this.#options;
    log.error("a handler fails at most messages and is paused; offsets are kept, no attempts are spent", {
      handler,
      ...this.#breaker.tally,
      error,
    });
    gate();
    this.#arm();
  }

  /** An earlier owner had finished this message: its handler works on such, whatever is left over. */
  finishedBefore({ topic, partition, offset }: IncomingRecord): void {
    this.#breaker.note(`${topic}/${partition}/${offset}`, false, 0);
  }

  /** The probe ended. */
  probed(failed: boolean | null, error: string): void {
    const { handler, log } = this.#options;
    if (!this.#breaker.open) return; // told to go on meanwhile
    this.#breaker.probed(failed === null ? null : !failed, this.#nowMs);
    if (this.#breaker.open) {
      if (failed === true) log.warn("a paused handler still fails", { handler, error });
      this.#arm();
      return;
    }
    log.info("a paused handler goes on", { handler });
    this.#letGo();
  }

  /** Somebody says that it works again: all that is held goes on at once. Should it still fail at most, it is paused again. */
  resume(): void {
    if (!this.#breaker.open) return;
    this.#breaker.close();
    this.#options.log.info("a paused handler goes on, as it was told to", { handler: this.#options.handler });
    this.#letGo();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #letGo(): void {
    this.stop();
    this.#inviting = false;
    for (const answer of this.#held) answer("go");
    this.#options.gate();
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  #arm(): void {
    const inMs = this.#breaker.probeInMs(this.#nowMs);
    if (inMs !== null && this.#cancel === null) this.#look(inMs);
  }

  #look(inMs: number): void {
    this.#cancel = this.#options.clock.after(inMs, () => {
      this.#cancel = null;
      this.#probeNow();
    });
  }

  #probeNow(): void {
    const inMs = this.#breaker.probeInMs(this.#nowMs);
    if (inMs === null) return;
    // A timer may fire a fraction of a millisecond early.
    if (inMs > 1) {
      this.#arm();
      return;
    }
    const [first] = this.#held;
    // Every second probe is a message that was not held: those that are may be the few that fail at first, every one of them.
    const invites = first === undefined || (!this.#inviting && this.#probes++ % 2 === 1);
    this.#inviting = invites;
    this.#options.gate();
    if (!invites) {
      this.#breaker.probe();
      first?.("probe");
    } else if (first !== undefined) this.#look(LIMITS.breaker.probeMs); // none may come
  }
}
