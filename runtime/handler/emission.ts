/**
 * Outputs: what a handler returns. Constructors (`out.errors(value, { after })`) instead of an object of optional
 * keys, since only a call refuses typos, extra fields, bad durations and mixed variants where they are written.
 */
import type { Duration } from "../ground/duration.ts";
import { durationMs } from "../ground/duration.ts";
import type { AnyTopic, InputOf, OutputOf } from "./topic.ts";

/** The topics that a handler may write, under the names by which it speaks of them. */
export type Outputs = Readonly<Record<string, AnyTopic>>;

export interface EmitOptions {
  /** Published that much later, through the schedule table. */
  readonly after?: Duration;
  /** Why it waits, in a word or few, for the people who look at the schedule. */
  readonly reason?: string;
}

/** An output that was made but is not published yet. Only `out` makes one, and only returning it publishes it. */
export interface Emission<Name extends string = string> {
  readonly output: Name;
  readonly topic: AnyTopic;
  readonly value: unknown;
  readonly afterMs: number | null;
  readonly reason: string;
}

/** One constructor per declared output. */
export type Emitters<O extends Outputs> = {
  readonly [Name in keyof O & string]: (value: InputOf<O[Name]>, options?: EmitOptions) => Emission<Name>;
};

/** What `handle` may return: nothing, one output, or several in order. */
export type Returned<O extends Outputs> =
  void | undefined | Emission<keyof O & string> | readonly Emission<keyof O & string>[];

/** The result of one message of a batch that failed. Only `fail` makes one. */
export class Failure {
  /** What went wrong, as a handler of one message would throw it. */
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/**
 * A topic that is published must take back what its readers get: a schema that turns a string into a Date cannot be
 * written from what was read. Compile-time only; `true` where it holds.
 */
export type RoundTrips<T extends AnyTopic> = OutputOf<T> extends InputOf<T> ? true : false;

/** The constructors for one run of a handler, and what they have made so far. */
export function emittersFor(outputs: Outputs): {
  readonly out: Emitters<Outputs>;
  readonly made: Emission[];
} {
  let OfOutputs = classes.get(outputs);
  if (OfOutputs === undefined) classes.set(outputs, (OfOutputs = classFor(outputs)));
  const made: Emission[] = [];
  // Its getters are what the type says, one for each output.
  return { out: new OfOutputs(made) as unknown as Emitters<Outputs>, made };
}

/** A handler's outputs never change: their constructors are written down once, and made for a run when they are asked for. */
const classes = new WeakMap<Outputs, typeof RunEmitters>();

class RunEmitters {
  readonly #made: Emission[];

  constructor(made: Emission[]) {
    this.#made = made;
  }

  static getter(output: string, topic: AnyTopic): (this: RunEmitters) => Emitter {
    return function constructorOf(this: RunEmitters): Emitter {
      const made = this.#made;
      return (value, options) => {
        const afterMs = options?.after === undefined ? null : durationMs(options.after);
        const emission = Object.freeze({ output, topic, value, afterMs, reason: options?.reason ?? "after" });
        made.push(emission);
        return emission;
      };
    };
  }
}
// An output may have any name, and no other name answers.
Object.setPrototypeOf(RunEmitters.prototype, null);
Reflect.deleteProperty(RunEmitters.prototype, "constructor");

type Emitter = (value: unknown, options?: EmitOptions) => Emission;

function classFor(outputs: Outputs): typeof RunEmitters {
  class OfOutputs extends RunEmitters {}
  Reflect.deleteProperty(OfOutputs.prototype, "constructor");
  for (const [output, topic] of Object.entries(outputs))
    Object.defineProperty(OfOutputs.prototype, output, { get: RunEmitters.getter(output, topic) });
  return OfOutputs;
}
