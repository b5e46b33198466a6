/**
 * One run of a handler, under its deadline and until it is interrupted.
 *
 * In: a call, deadlines, an interruption from outside. Out: what the call returned or threw; `handler_timeout` or `aborted`
 * where it did not come in time. A call that ignores its signal is left behind. What is not asked for costs nothing: the
 * signal is made when it is read, and a call that answers at once needs no deadline.
 */
import { describeMs } from "../ground/duration.ts";
import { CauceError } from "../ground/errors.ts";
import type { Deadlines } from "./deadlines.ts";

/** Work that may be ended from outside: a partition. */
export interface Interruption {
  readonly interrupted: boolean;
  /** Called once when it happens. */
  readonly onInterrupt: Set<() => void>;
}

/** What all runs of a handler go by. */
export interface RunRules {
  readonly deadlines: Deadlines;
  readonly handler: { readonly timeoutMs: number };
}

/** Who is run: a handler, for a message or for several. */
export interface Callee<Subject, Context> {
  readonly handle: (subject: Subject, context: Context) => unknown;
}

export class Run {
  readonly #rules: RunRules;
  readonly #interruption: Interruption;
  #controller: AbortController | null = null;
  #ended: CauceError | "over" | null = null;

  constructor(rules: RunRules, interruption: Interruption) {
    this.#rules = rules;
    this.#interruption = interruption;
  }

  /** Aborts at the deadline, at an interruption, and when the run is over. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#ended !== null) this.#abort();
    return this.#controller.signal;
  }

  /**
   * What the call returns or throws, at once; a promise of it only where the call makes one.
   * @throws CauceError `aborted` where it was interrupted before; a promise rejects as the header says
   */
  of<Subject, Context>(callee: Callee<Subject, Context>, subject: Subject, context: Context): unknown {
    if (this.#interruption.interrupted) throw this.#end(interrupted());
    let returned: unknown;
    try {
      returned = callee.handle(subject, context);
    } catch (thrown) {
      this.#over();
      throw thrown;
    }
    if (isThenable(returned)) return this.#inTime(returned);
    this.#over();
    return returned;
  }

  #inTime(returned: PromiseLike<unknown>): Promise<unknown> {
    const { deadlines, handler } = this.#rules;
    const interruption = this.#interruption;
    return new Promise((resolve, reject) => {
      const late = deadlines.set(() => {
        interruption.onInterrupt.delete(interrupt);
        reject(
          this.#end(
            new CauceError("handler_timeout", `the handler ran longer than ${describeMs(handler.timeoutMs)}`),
          ),
        );
      });
      const interrupt = () => {
        deadlines.takeBack(late);
        reject(this.#end(interrupted()));
      };
      interruption.onInterrupt.add(interrupt);
      const over = () => {
        deadlines.takeBack(late);
        interruption.onInterrupt.delete(interrupt);
        this.#over();
      };
      returned.then(
        (value) => {
          over();
          resolve(value);
        },
        (thrown: unknown) => {
          over();
          // What a handler throws goes on as it is, whatever it is.
          // oxlint-disable-next-line typescript/prefer-promise-reject-errors
          reject(thrown);
        },
      );
    });
  }

  #over(): void {
    this.#ended ??= "over";
    this.#abort();
  }

  #end(reason: CauceError): CauceError {
    this.#ended = reason;
    this.#abort();
    return reason;
  }

  #abort(): void {
    if (this.#controller === null || this.#controller.signal.aborted) return;
    if (this.#ended instanceof CauceError) this.#controller.abort(this.#ended);
    else this.#controller.abort();
  }
}

function interrupted(): CauceError {
  return new CauceError("aborted", "stopped: the partition moved or the process ends");
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
