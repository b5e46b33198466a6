/**
 * Lets a message run when it is its turn under its handler's limit: here where that is soon, else by way of the schedule.
 *
 * In: tasks that may run. Out: whether one has its turn; for one that has none: go, come back later, or its partition left.
 * A task that waits here holds no place of those that run. Never here: counting (store/turns.ts), rows (settle.ts).
 */
import type { IncomingRecord } from "../bus/bus.ts";
import type { Clock } from "../ground/clock.ts";
import { isAmount, LONGEST_BUDGET_NAME, NO_TURN, type CheckedLimit, type Turn } from "../handler/limit.ts";
import type { Handler } from "../handler/handler.ts";
import type { BudgetLimits, TurnAnswer, Turns } from "../store/turns.ts";
import { readEnvelope, ticketOf } from "./envelope.ts";
import { LIMITS } from "./limits.ts";
import type { Task } from "./partition.ts";
import type { Patience } from "./persist.ts";
import { messageOf, readValue } from "./read.ts";
import { TurnLine } from "./turn-line.ts";

export interface TurnGateOptions {
  readonly handler: Handler;
  readonly limit: CheckedLimit;
  readonly deps: unknown;
  readonly turns: Turns;
  readonly clock: Clock;
  readonly patience: (signal: AbortSignal) => Patience;
}

/** `run`: it has its turn now. `left`: its partition is given back. Else it comes back after the delay, to its place in line. */
export type Admitted = "run" | "left" | Postponed;

export interface Postponed {
  readonly delayMs: number;
  readonly ticket: number;
  readonly value: unknown;
}

interface Granted {
  readonly line: TurnLine | null;
  readonly startedMs: number;
}

/** One that waits here. */
interface Sleeper {
  readonly line: TurnLine;
  /** Does it wait for its granted time, or until it is worth asking again? */
  readonly granted: boolean;
  readonly wake: (why: "over" | "again" | "left") => void;
}

export class TurnGate {
  readonly #options: TurnGateOptions;
  readonly #lines = new Map<string, TurnLine>();
  readonly #granted = new Map<IncomingRecord, Granted>();
  readonly #sleepers = new Set<Sleeper>();
  readonly #process = crypto.randomUUID();
  readonly #end = new AbortController();

  constructor(options: TurnGateOptions) {
    this.#options = options;
  }

  /** Has it its turn? */
  has({ record }: Task): boolean {
    return this.#granted.has(record);
  }

  /** Resolves when it is known what becomes of it. @throws as the store; CauceError `aborted` after `stop` */
  async ask(task: Task): Promise<Admitted> {
    const { clock, limit, deps, handler } = this.#options;
    const { record, partition, key } = task;
    const envelope = readEnvelope(record);
    const read = await readValue(record, handler.on);
    const admit = (line: TurnLine | null): "run" => {
      this.#granted.set(record, { line, startedMs: clock.monotonicMs() });
      return "run";
    };
    // What nobody can read, or read yet, reaches no handler and needs no turn.
    if (!read.readable || envelope.schema > handler.on.version) return admit(null);
    const message = messageOf({ envelope, key, value: read.value, processing: this.#options });
    const name = typeof limit.by === "string" ? limit.by : limit.by(message, deps);
    if (name === null) return admit(null);
    const line = this.#lineOf(name.slice(0, LONGEST_BUDGET_NAME));
    const tokens = Math.max(0, limit.tokens?.(message, deps) ?? 0) || 0;
    let ticket = ticketOf(record);
    for (;;) {
      const answer = await line.ask({ ticket, tokens });
      if (!partition.active) {
        if (answer.granted) line.ended(null);
        return "left";
      }
      ticket = answer.ticket;
      if (!answer.granted && answer.waitMs > LIMITS.turns.hereMs && handler.order.by !== "partition") {
        return { delayMs: postponedMs(answer.waitMs), ticket: ticket ?? 0, value: read.value };
      }
      const word = answer.waitMs > 0 ? await this.#sleep(line, task, answer) : "over";
      if (answer.granted && word === "over") return admit(line);
      if (answer.granted) line.ended(null);
      if (word === "left") return "left";
    }
  }

  /** What a handler may tell of its turn. */
  turnOf(record: IncomingRecord): Turn {
    const line = this.#granted.get(record)?.line ?? null;
    if (line === null) return NO_TURN;
    return {
      refused: ({ retryAfterMs = 0 } = {}) =>
        line.refused(Math.min(Math.max(0, retryAfterMs), LIMITS.turns.longestPauseMs)),
      used: ({ requests = 0, tokens = 0 }) => line.used(requests, tokens),
    };
  }

  /** Nothing of it runs any more. */
  ended({ record }: Task): void {
    const granted = this.#granted.get(record);
    if (granted === undefined) return;
    this.#granted.delete(record);
    granted.line?.ended(this.#options.clock.monotonicMs() - granted.startedMs);
  }

  stop(): void {
    this.#end.abort();
    for (const { wake } of this.#sleepers) wake("left");
    for (const line of this.#lines.values()) line.stop();
  }

  #lineOf(budget: string): TurnLine {
    let line = this.#lines.get(budget);
    if (line !== undefined) return line;
    if (this.#lines.size >= LIMITS.turns.budgets) {
      for (const [name, known] of this.#lines) if (known.idle) this.#lines.delete(name);
    }
    const { turns, clock, patience } = this.#options;
    const made: TurnLine = new TurnLine({
      budget,
      process: this.#process,
      turns,
      clock,
      limits: () => this.#limits(),
      patience: patience(this.#end.signal),
      changed: (why) => this.#wake(made, why),
    });
    line = made;
    this.#lines.set(budget, line);
    return line;
  }

  #limits(): BudgetLimits {
    const { limit, deps } = this.#options;
    const amount = (field: "perMinute" | "tokensPerMinute" | "inFlight") => {
      const declared = limit[field];
      const now = typeof declared === "function" ? declared(deps) : declared;
      return now !== undefined && isAmount(field, now) ? now : undefined;
    };
    return {
      perMinute: amount("perMinute"),
      tokensPerMinute: amount("tokensPerMinute"),
      inFlight: amount("inFlight"),
    };
  }

  /** Those whose time was granted at the old pace ask again at a refusal; those who wait for a free turn, when one ended. */
  #wake(line: TurnLine, why: "ended" | "refused"): void {
    for (const sleeper of this.#sleepers) {
      if (sleeper.line === line && sleeper.granted === (why === "refused")) {
        sleeper.wake("again");
        if (why === "ended") return;
      }
    }
  }

  #sleep(
    line: TurnLine,
    { partition }: Task,
    { granted, waitMs }: TurnAnswer,
  ): Promise<"over" | "again" | "left"> {
    const { clock } = this.#options;
    const ms = granted ? waitMs : Math.min(waitMs, LIMITS.turns.longestHereMs);
    return new Promise((resolve) => {
      const wake = (why: "over" | "again" | "left") => {
        cancel();
        partition.onLeave.delete(left);
        this.#sleepers.delete(sleeper);
        resolve(why);
      };
      const left = () => wake("left");
      const sleeper: Sleeper = { line, granted, wake };
      const cancel = clock.after(ms, () => wake("over"));
      partition.onLeave.add(left);
      this.#sleepers.add(sleeper);
    });
  }
}

/**
 * A little early, so that somebody is there when a turn is free. Who has long to wait looks again half-way: the pace may
 * have changed by then.
 */
function postponedMs(waitMs: number): number {
  const { earlyMs, lookAgainMs } = LIMITS.turns;
  return Math.round(waitMs <= lookAgainMs ? waitMs - earlyMs : Math.max(lookAgainMs, waitMs / 2));
}
