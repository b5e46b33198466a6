/**
 * How often and how many at a time a handler may run, in all processes together.
 *
 * In: a declaration. Out: data that the engine asks by. Never here: counting (store/turns.ts), waiting (engine/turn-gate.ts).
 */
import { CauceError } from "../ground/errors.ts";
import type { Message } from "./message.ts";
import type { AnyTopic } from "./topic.ts";

/** A number, or how it follows from what the handler is given; undefined: not limited. Read again at each turn. */
export type Amount<Deps> = number | ((deps: Deps) => number | undefined);

export interface Limit<T extends AnyTopic, Deps> {
  /**
   * The budget's name, shared by all processes and handlers of the app that name it: "mails", or by message, such as
   * `({ value }) => value.tenant`. Null: this message needs no turn. 1 to 200 characters.
   */
  readonly by: string | ((message: Message<T>, deps: Deps) => string | null);
  /** Runs a minute, evenly spaced; more than 0. */
  readonly perMinute?: Amount<Deps>;
  /** What runs may use a minute, in any unit: the `tokens` of each, and what it says itself (`turn.used`). */
  readonly tokensPerMinute?: Amount<Deps>;
  /** What a run will use, about. Default 0: only what it says itself counts. */
  readonly tokens?: (message: Message<T>, deps: Deps) => number;
  /** Runs at the same time, a whole number from 1. */
  readonly inFlight?: Amount<Deps>;
}

/** A message's turn: what the handler tells of it, for everybody who shares the budget. */
export interface Turn {
  /**
   * Somebody answered "too many": the pace goes down for all, and for `retryAfterMs` nobody gets a turn. What becomes of the
   * message is the handler's to say.
   */
  refused(told?: { readonly retryAfterMs?: number | undefined }): void;
  /** What the run has used: requests beyond the one that a turn is for, tokens beyond those that were expected. */
  used(what: { readonly requests?: number; readonly tokens?: number }): void;
}

/** Of a handler without a limit: nobody listens. */
export const NO_TURN: Turn = Object.freeze({ refused: () => undefined, used: () => undefined });

/** As the engine takes it. */
export type CheckedLimit = Limit<AnyTopic, unknown>;

export const LONGEST_BUDGET_NAME = 200;

/** @throws CauceError `declaration_invalid` naming the field that cannot work. */
export function checkLimit(handler: string, limit: CheckedLimit): void {
  const refuse = (field: string, expected: string, came: unknown) => {
    throw new CauceError(
      "declaration_invalid",
      `handler ${handler}: limit.${field} must be ${expected}, not ${String(came)}`,
    );
  };
  const { by, perMinute, tokensPerMinute, inFlight } = limit;
  const named = typeof by === "string" && by !== "" && by.length <= LONGEST_BUDGET_NAME;
  if (!named && typeof by !== "function") {
    refuse("by", `a name of 1 to ${LONGEST_BUDGET_NAME} characters, or a function`, JSON.stringify(by));
  }
  if (perMinute === undefined && tokensPerMinute === undefined && inFlight === undefined) {
    refuse("perMinute", "given, or tokensPerMinute, or inFlight", "left out with the others");
  }
  for (const [field, amount] of Object.entries({ perMinute, tokensPerMinute, inFlight })) {
    if (typeof amount === "number" && !isAmount(field, amount))
      refuse(field, field === "inFlight" ? "a whole number from 1" : "more than 0", amount);
  }
}

/** Is this a number that can be kept? */
export function isAmount(field: string, amount: number): boolean {
  return field === "inFlight"
    ? Number.isInteger(amount) && amount >= 1
    : amount > 0 && Number.isFinite(amount);
}
