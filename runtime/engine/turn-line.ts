/**
 * One budget as one process sees it: who wants a turn here, what is under way, what has to be told.
 *
 * In: wishes, ends, refusals. Out: answers, many wishes by one statement. Never here: waiting for a turn's time, messages.
 */
import type { Clock } from "../ground/clock.ts";
import type { BudgetLimits, TurnAnswer, Turns, TurnWanted } from "../store/turns.ts";
import { LIMITS } from "./limits.ts";
import { persist, type Patience } from "./persist.ts";

export interface TurnLineOptions {
  readonly budget: string;
  /** This process. */
  readonly process: string;
  readonly turns: Turns;
  readonly limits: () => BudgetLimits;
  readonly clock: Clock;
  readonly patience: Patience;
  /** Told when waiting ones should ask again: a turn ended here, or the pace went down. */
  readonly changed: (why: "ended" | "refused") => void;
}

interface Wish extends TurnWanted {
  readonly answer: (answer: TurnAnswer) => void;
  readonly fail: (error: unknown) => void;
}

export class TurnLine {
  readonly #options: TurnLineOptions;
  #wishes: Wish[] = [];
  #speaking = false;
  #due: (() => void) | null = null;
  #running = 0;
  #requests = 0;
  #tokens = 0;
  #refused = false;
  #pauseMs = 0;
  #turnMs = 0;
  #turnsEnded = 0;

  constructor(options: TurnLineOptions) {
    this.#options = options;
  }

  /** Nothing is under way and nothing has to be told. */
  get idle(): boolean {
    return this.#running === 0 && this.#wishes.length === 0 && this.#due === null && !this.#speaking;
  }

  /** One statement for all who ask in one turn of the event loop, and while another is under way. @throws as the store */
  ask(wanted: TurnWanted): Promise<TurnAnswer> {
    return new Promise((answer, fail) => {
      this.#wishes.push({ ...wanted, answer, fail });
      queueMicrotask(() => this.#speak());
    });
  }

  /** A turn that was granted is over; with how long it took, where it was used. */
  ended(tookMs: number | null): void {
    this.#running--;
    if (tookMs !== null) {
      this.#turnMs += tookMs;
      this.#turnsEnded++;
    }
    if (this.#options.limits().inFlight === undefined) return;
    this.#speakWithin(LIMITS.turns.tellMs);
    this.#options.changed("ended");
  }

  refused(retryAfterMs: number): void {
    this.#refused = true;
    this.#pauseMs = Math.max(this.#pauseMs, retryAfterMs);
    this.#speak();
    this.#options.changed("refused");
  }

  used(requests: number, tokens: number): void {
    this.#requests += requests;
    this.#tokens += tokens;
    this.#speakWithin(LIMITS.turns.tellMs);
  }

  stop(): void {
    this.#due?.();
    this.#due = null;
  }

  #speakWithin(ms: number): void {
    this.#due ??= this.#options.clock.after(ms, () => {
      this.#due = null;
      this.#speak();
    });
  }

  #speak(): void {
    if (this.#speaking || this.#options.patience.signal.aborted) return;
    this.stop();
    this.#speaking = true;
    void this.#say(this.#wishes.splice(0)).finally(() => {
      this.#speaking = false;
      if (this.#wishes.length > 0 || this.#refused) this.#speak();
      // A process that says nothing is taken for dead, and its turns for over.
      else if (this.#running > 0 && this.#options.limits().inFlight !== undefined)
        this.#speakWithin(LIMITS.turns.aliveMs);
    });
  }

  async #say(wishes: readonly Wish[]): Promise<void> {
    const { budget, process, turns, limits, patience } = this.#options;
    const news = {
      running: this.#running,
      requests: this.#requests,
      tokens: this.#tokens,
      refused: this.#refused,
      pauseMs: this.#pauseMs,
      turnMs: this.#turnsEnded === 0 ? 0 : this.#turnMs / this.#turnsEnded,
    };
    this.#requests = this.#tokens = this.#pauseMs = this.#turnMs = this.#turnsEnded = 0;
    this.#refused = false;
    const asked = { budget, process, limits: limits(), wanted: wishes, ...news };
    try {
      const answers = await persist(() => turns.take(asked), patience);
      for (const { granted } of answers) if (granted) this.#running++;
      for (const [at, { answer }] of wishes.entries()) {
        const given = answers[at];
        if (given !== undefined) answer(given);
      }
    } catch (error) {
      for (const { fail } of wishes) fail(error);
    }
  }
}
