/**
 * Turns: what all processes of an app may do together, so often a minute and so many at a time.
 *
 * In: a budget by its name, what is declared of it, who wants a turn, and what became of earlier ones. Out: a turn now or within
 * a second, or a place in line and how long it will take. Two forms stand behind it, beside those of the store, under one
 * contract suite. Never here: waiting, messages (engine/turns.ts).
 */

/** What a handler declares of a budget. Undefined: not limited so. */
export interface BudgetLimits {
  /** Turns a minute, evenly spaced. */
  readonly perMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
  /** Turns at the same time, in all processes together. */
  readonly inFlight?: number | undefined;
}

/** One who wants a turn. */
export interface TurnWanted {
  /** Its place in line, where it was given one before. */
  readonly ticket: number | null;
  /** What it is going to use, as far as anybody can tell. */
  readonly tokens: number;
}

/** What has become of turns of this process since it spoke last. */
export interface TurnsNews {
  /** Turns of this process that are under way, those granted and not begun among them. */
  readonly running: number;
  /** What was used beyond what was told before; tokens may be negative. */
  readonly requests: number;
  readonly tokens: number;
  /** Somebody else's limit was met. The pace goes down, at most once in `TURN_RULES.slowEveryMs`. */
  readonly refused: boolean;
  /** Nobody gets a turn for so long. */
  readonly pauseMs: number;
  /** How long a turn takes, on average of those that ended; 0 where none did. */
  readonly turnMs: number;
}

export interface TurnsAsked extends TurnsNews {
  readonly budget: string;
  /** This process. */
  readonly process: string;
  readonly limits: BudgetLimits;
  readonly wanted: readonly TurnWanted[];
}

export interface TurnAnswer {
  /** May it run, after `waitMs`? Else it asks again then, with its ticket. */
  readonly granted: boolean;
  readonly waitMs: number;
  readonly ticket: number | null;
}

export interface Turns {
  /** One statement for all of one budget. Answers in the order of `wanted`. Errors as `Store.schedule`. */
  take(asked: TurnsAsked): Promise<readonly TurnAnswer[]>;
}

/** The rules of both forms; times in ms. */
export const TURN_RULES = Object.freeze({
  /** A turn is granted so long ahead at most: what is granted keeps its old pace when the pace goes down. */
  aheadMs: 1_000,
  /** Turns that nobody took are kept so long, so that a hiccup costs nothing: at most so many come at once. */
  creditMs: 250,
  /** A refusal takes the pace to this share of what really went through, once in so long. */
  slowTo: 0.8,
  slowEveryMs: 1_500,
  /** It goes up again by this share of the declared pace (of the refused one, where none is declared) a second. */
  raisePerSecond: 0.01,
  /** What really went through is counted over so long. */
  measureMs: 5_000,
  /** Turns of a process that said nothing for so long are over: it is dead. It speaks at least three times as often. */
  aliveMs: 30_000,
  /** Where all turns are taken it is worth asking again after this. */
  againMs: 50,
});
