/**
 * The one place where things are decided: a record in, an Outcome out.
 *
 * Decodes, validates, runs the handler under its deadline, checks its outputs, applies the retry rules.
 * Never here: publishing, rows, offsets. The world is touched by the handler alone.
 */
import type { IncomingRecord } from "../bus/bus.ts";
import type { Clock, Random } from "../ground/clock.ts";
import { failpoint } from "../ground/failpoint.ts";
import type { Log } from "../ground/log.ts";
import { emittersFor, type Emission, type Emitters, type Outputs } from "../handler/emission.ts";
import type { Context, Handler } from "../handler/handler.ts";
import { NO_TURN, type Turn } from "../handler/limit.ts";
import { emit } from "./emit.ts";
import { readEnvelope, type Envelope } from "./envelope.ts";
import type { HandlerNames } from "./names.ts";
import { outcomeOf, unreadable } from "./conclude.ts";
import type { Deadlines } from "./deadlines.ts";
import { LIMITS } from "./limits.ts";
import type { Outcome } from "./outcome.ts";
import { keyOf, messageOf, readValue, type Read } from "./read.ts";
import { decideRetry, type Verdict } from "./retry.ts";
import { Run, type Interruption } from "./run.ts";

export interface Processing {
  readonly handler: Handler;
  readonly names: HandlerNames;
  readonly deps: unknown;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of this handler's runs. */
  readonly deadlines: Deadlines;
  /** What a run may tell of its turn under the handler's limit. */
  readonly turnOf?: (record: IncomingRecord) => Turn;
  /** Told when a message was read and its handler is about to run. */
  readonly started?: (envelope: Envelope, value: unknown) => void;
}

export interface Processed {
  readonly envelope: Envelope;
  /** The decoded value; undefined when it could not be read. */
  readonly value: unknown;
  readonly outcome: Outcome;
  /** Only for a retry: when, and why. */
  readonly verdict: Verdict | null;
  /** When it was decided, in ms since 1970: before anything of it is carried out. */
  readonly decidedAtMs: number;
  /** What the run has made and returned; empty where it did not go well. */
  readonly emissions: readonly Emission[];
}

/** One run of one record. */
export interface Attempt {
  readonly record: IncomingRecord;
  readonly envelope: Envelope;
  readonly key: string | null;
  readonly processing: Processing;
  /** Stops it from outside. */
  readonly interruption: Interruption;
  /** What was decoded; undefined until then. */
  value: unknown;
}

/** A run of a record that nobody has looked at yet. */
export function attemptOf(
  record: IncomingRecord,
  processing: Processing,
  interruption: Interruption,
): Attempt {
  const envelope = readEnvelope(record);
  return { record, envelope, key: keyOf(record), processing, interruption, value: undefined };
}

/**
 * Runs one record. Never rejects and never throws: every failure is an Outcome.
 * Answers without a promise where schema and handler make none.
 */
export function processRecord(attempt: Attempt): Processed | Promise<Processed> {
  const { record, envelope, processing } = attempt;
  const later = postponed(record, envelope, processing);
  if (later !== null) return later;
  const read = readValue(record, processing.handler.on);
  return read instanceof Promise ? read.then((late) => runRead(late, attempt)) : runRead(read, attempt);
}

function runRead(read: Read, attempt: Attempt): Processed | Promise<Processed> {
  const { record, envelope, processing } = attempt;
  attempt.value = read.value;
  if (!read.readable) return concluded(attempt, unreadable(read.thrown, record, envelope, processing));
  failpoint("process.decoded");
  processing.started?.(envelope, read.value);
  const { handler } = processing;
  const { out, made } = emittersFor(handler.out);
  const run = new Run(processing, attempt.interruption);
  try {
    const context = new RunContext(run, processing, out, { id: envelope.id, record });
    const returned = run.of(handler, messageOf(attempt), context);
    return returned instanceof Promise
      ? returned.then((late) => finish(late, made, attempt)).catch((thrown) => failed(thrown, attempt))
      : finish(returned, made, attempt);
  } catch (thrown) {
    return failed(thrown, attempt);
  }
}

/** @throws as `emit` */
function finish(
  returned: unknown,
  made: readonly Emission[],
  attempt: Attempt,
): Processed | Promise<Processed> {
  failpoint("process.handled");
  const { processing, envelope } = attempt;
  const nowMs = processing.clock.nowMs();
  const done = emit(returned, made, { by: processing, input: envelope, nowMs });
  if (done instanceof Promise)
    return done
      .then((late) => concluded(attempt, late, null, made))
      .catch((thrown) => failed(thrown, attempt));
  // Its outputs were born when it was decided.
  return concluded(attempt, done, null, made, nowMs);
}

function failed(thrown: unknown, attempt: Attempt): Processed {
  const { record, envelope, processing, interruption } = attempt;
  if (interruption.interrupted) return concluded(attempt, { kind: "aborted" });
  const verdict = decide(thrown, envelope, processing);
  return concluded(attempt, outcomeOf(verdict, record, envelope, processing), verdict);
}

/** What became of a run, as data. */
export function concluded(
  { envelope, value, processing }: Pick<Attempt, "envelope" | "value" | "processing">,
  outcome: Outcome,
  verdict: Verdict | null = null,
  emissions: readonly Emission[] = [],
  decidedAtMs: number = processing.clock.nowMs(),
): Processed {
  return { envelope, value, outcome, verdict, decidedAtMs, emissions };
}

/** A message of a newer schema than this process knows waits, however old it is, until a newer process takes it. */
export function postponed(
  record: IncomingRecord,
  envelope: Envelope,
  processing: Processing,
): Processed | null {
  const { on } = processing.handler;
  if (envelope.schema <= on.version) return null;
  const verdict: Verdict = {
    kind: "retry",
    delayMs: LIMITS.newerSchemaMs,
    attempts: envelope.attempts,
    deferrals: envelope.deferrals,
    reason: "newer_schema",
    error: `written by version ${envelope.schema} of ${on.name}'s schema; this process knows version ${on.version}`,
  };
  const outcome = outcomeOf(verdict, record, envelope, processing);
  return concluded({ envelope, value: undefined, processing }, outcome, verdict);
}

/** What a context speaks of: the record, where it is one; its id, or words for several. */
interface About {
  readonly id: string;
  readonly record?: IncomingRecord;
}

/** What a handler gets beside its message. Its log, its turn and its signal are made when they are read. */
export class RunContext implements Context<Outputs, unknown> {
  readonly deps: unknown;
  readonly out: Emitters<Outputs>;
  readonly #run: Run;
  readonly #processing: Processing;
  readonly #id: string;
  readonly #record: IncomingRecord | undefined;

  constructor(run: Run, processing: Processing, out: Emitters<Outputs>, { id, record }: About) {
    this.deps = processing.deps;
    this.out = out;
    this.#run = run;
    this.#processing = processing;
    this.#id = id;
    this.#record = record;
  }

  get turn(): Turn {
    return (this.#record !== undefined && this.#processing.turnOf?.(this.#record)) || NO_TURN;
  }

  get signal(): AbortSignal {
    return this.#run.signal;
  }

  get log(): Log {
    const { log, handler } = this.#processing;
    return log.with({ handler: handler.name, message: this.#id });
  }
}

/** What becomes of a message whose handler threw. */
export function decide(thrown: unknown, envelope: Envelope, { handler, clock, random }: Processing): Verdict {
  return decideRetry({
    thrown,
    envelope,
    rules: handler.retry,
    maxAgeMs: handler.maxAgeMs,
    nowMs: clock.nowMs(),
    random,
  });
}
