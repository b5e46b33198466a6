/**
 * The breaker: tells a handler that fails at everything (a bad deploy) from messages that fail among good ones (poison).
 *
 * In: how each message's run ended, and the time. Out: closed, open, or open with one probe on its way. Pure; it holds
 * nothing back itself. A message counts once, by its latest result, so that one which is retried often weighs no more.
 */
export interface BreakerLimits {
  /** So many different messages are remembered. */
  readonly window: number;
  /** Fewer than this say nothing. */
  readonly least: number;
  /** It opens when this share of them failed, 0 to 1. */
  readonly share: number;
  /** How long it stays open before one message is tried. */
  readonly probeMs: number;
}

export class Breaker {
  readonly #limits: BreakerLimits;
  /** Message id → did its latest run fail; oldest first. */
  readonly #results = new Map<string, boolean>();
  #failures = 0;
  /** Good results before all that are remembered one by one; a number suffices for them, and most handlers never fail. */
  #good = 0;
  #probeAtMs: number | null = null;
  #probing = false;

  constructor(limits: BreakerLimits) {
    this.#limits = limits;
  }

  get open(): boolean {
    return this.#probeAtMs !== null;
  }

  /** How many failed of how many, for people. */
  get tally(): { readonly failed: number; readonly messages: number } {
    return { failed: this.#failures, messages: this.#size };
  }

  /** Notes a good run while none has failed lately: whose it was does not matter then. @returns false where it does. */
  noteGood(): boolean {
    if (this.open || this.#failures > 0) return false;
    this.#good = Math.min(this.#limits.window, this.#good + this.#results.size + 1);
    if (this.#results.size > 0) this.#results.clear();
    return true;
  }

  /** Notes a run that was no probe. @returns true when it is this one that opens the breaker. */
  note(messageId: string, failed: boolean, nowMs: number): boolean {
    if (this.open || (!failed && this.noteGood())) return false;
    const { window, least, share, probeMs } = this.#limits;
    this.#forget(messageId);
    this.#results.set(messageId, failed);
    if (failed) this.#failures++;
    if (this.#size > window) this.#forgetOldest();
    if (!failed || this.#size < least || this.#failures < share * this.#size) return false;
    this.#probeAtMs = nowMs + probeMs;
    return true;
  }

  /** How long until a probe may run: 0 now, null while one runs or when closed. */
  probeInMs(nowMs: number): number | null {
    if (this.#probeAtMs === null || this.#probing) return null;
    return Math.max(0, this.#probeAtMs - nowMs);
  }

  /** One message is tried; until `probed` nothing else is. */
  probe(): void {
    this.#probing = true;
  }

  /** How the probe ended. `null`: it said nothing (it was stopped, or was no message that a handler sees). */
  probed(succeeded: boolean | null, nowMs: number): void {
    this.#probing = false;
    if (this.#probeAtMs === null) return; // closed meanwhile
    if (succeeded === true) this.close();
    else if (succeeded === false) this.#probeAtMs = nowMs + this.#limits.probeMs;
  }

  /** Somebody knows better: closed, with nothing remembered. */
  close(): void {
    this.#results.clear();
    this.#failures = 0;
    this.#good = 0;
    this.#probeAtMs = null;
  }

  get #size(): number {
    return this.#good + this.#results.size;
  }

  #forgetOldest(): void {
    if (this.#good > 0) {
      this.#good--;
      return;
    }
    const [oldest] = this.#results.keys();
    if (oldest !== undefined) this.#forget(oldest);
  }

  #forget(messageId: string): void {
    if (this.#results.get(messageId) === true) this.#failures--;
    this.#results.delete(messageId);
  }
}
