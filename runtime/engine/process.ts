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
import { emit } from "./emit.ts";
import { readEnvelope, type Envelope } from "./envelope.ts";
import type { HandlerNames } from "./names.ts";
import { outcomeOf, unreadable } from "./conclude.ts";
import type { Deadlines } from "./deadlines.ts";
import { LIMITS } from "./limits.ts";
import type { Outcome } from "./outcome.ts";
import { messageOf, readValue } from "./read.ts";
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
  readonly emissions: readonly {
    readonly topic: string;
    readonly value: unknown;
    readonly afterMs: number | null;
    readonly reason: string;
  }[];
}

/** Runs one record. Never rejects: every failure is an Outcome. `interruption` stops it from outside. */
export async function processRecord(
  record: IncomingRecord,
  processing: Processing,
  interruption: Interruption,
): Promise<Processed> {
  const { handler, names, clock, deadlines } = processing;
  const envelope = readEnvelope(record);
  const later = postponed(record, envelope, processing);
  if (later !== null) return later;
  const reading = readValue(record, handler.on);
  const read = reading instanceof Promise ? await reading : reading;
  const { value } = read;
  const processed = (outcome: Outcome, verdict: Verdict | null = null): Processed => ({
    envelope,
    value,
    outcome,
    verdict,
    decidedAtMs: clock.nowMs(),
    emissions: [],
  });
  if (!read.readable) return processed(unreadable(read.thrown, record, envelope, processing));
  failpoint("process.decoded");
  processing.started?.(envelope, value);
  const { out, made } = emittersFor(handler.out);
  const run = new Run({ deadlines, timeoutMs: handler.timeoutMs, interruption });
  try {
    const message = messageOf(record, envelope, { topic: handler.on.name, value });
    const returned = await run.of(() =>
      handler.handle(message, contextOf(run, processing, { out, id: envelope.id })),
    );
    failpoint("process.handled");
    const emitted = await emit(returned, made, {
      source: names.source,
      handlerName: handler.name,
      input: envelope,
      nowMs: clock.nowMs(),
    });
    const { publish, schedule } = emitted;
    return {
      envelope,
      value,
      outcome: { kind: "done", publish, schedule },
      verdict: null,
      decidedAtMs: clock.nowMs(),
      emissions: emissionsOf(made),
    };
  } catch (thrown) {
    if (interruption.interrupted) return processed({ kind: "aborted" });
    const verdict = decide(thrown, envelope, processing);
    return processed(outcomeOf(verdict, record, envelope, processing), verdict);
  }
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
  return {
    envelope,
    value: undefined,
    outcome: outcomeOf(verdict, record, envelope, processing),
    verdict,
    decidedAtMs: processing.clock.nowMs(),
    emissions: [],
  };
}

/** What a handler gets beside its message. Its log and its signal are made when they are read. */
export function contextOf(
  run: Run,
  { log, handler, deps }: Processing,
  { out, id }: { readonly out: Emitters<Outputs>; readonly id: string },
): Context<Outputs, unknown> {
  return {
    deps,
    out,
    get signal() {
      return run.signal;
    },
    get log() {
      return log.with({ handler: handler.name, message: id });
    },
  };
}

/** The outputs of a run, as observers are told of them. */
export function emissionsOf(made: readonly Emission[]): Processed["emissions"] {
  return made.map(({ topic, value, afterMs, reason }) => ({ topic: topic.name, value, afterMs, reason }));
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
