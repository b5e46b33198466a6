/**
 * The one place where things are decided: a record in, an Outcome out.
 *
 * Decodes, validates, runs the handler under its deadline, checks its outputs, applies the retry rules.
 * Never here: publishing, rows, offsets. The world is touched by the handler alone.
 */
import type { IncomingRecord } from "../bus/bus.ts";
import type { Clock, Random } from "../ground/clock.ts";
import { describeMs } from "../ground/duration.ts";
import { CauceError } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";
import { emittersFor } from "../handler/emission.ts";
import type { Handler } from "../handler/handler.ts";
import { emit } from "./emit.ts";
import { readEnvelope, withCounters, type Counters, type Envelope } from "./envelope.ts";
import type { HandlerNames } from "./names.ts";
import type { Outcome } from "./outcome.ts";
import { causeOf, decideRetry, LONGEST_ERROR_TEXT, type Verdict } from "./retry.ts";
import { validate } from "./validate.ts";

export interface Processing {
  readonly handler: Handler;
  readonly names: HandlerNames;
  readonly deps: unknown;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
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

const utf8 = new TextDecoder();

/** Runs one record. Never rejects: every failure is an Outcome. `signal` stops it from outside. */
export async function processRecord(
  record: IncomingRecord,
  processing: Processing,
  signal: AbortSignal,
): Promise<Processed> {
  const { handler, clock } = processing;
  const envelope = readEnvelope(record);
  let value: unknown;
  try {
    if (record.value === null) throw new CauceError("undecodable", "the record has no value (a tombstone)");
    const decoded = handler.on.codec.decode(record.value);
    value = decoded;
    const checked = validate(handler.on, decoded);
    value = checked instanceof Promise ? await checked : checked;
  } catch (thrown) {
    return {
      envelope,
      value,
      outcome: unreadable(thrown, record, envelope, processing),
      verdict: null,
      decidedAtMs: clock.nowMs(),
      emissions: [],
    };
  }
  processing.started?.(envelope, value);
  const { out, made } = emittersFor(handler.out);
  const deadline = new AbortController();
  const stop = AbortSignal.any([signal, deadline.signal]);
  let verdict: Verdict;
  try {
    const message = {
      id: envelope.id,
      value,
      key: record.key === null ? null : utf8.decode(record.key),
      topic: handler.on.name,
      attempt: envelope.attempts + 1,
      deferrals: envelope.deferrals,
      delivery: envelope.delivery,
      bornAt: new Date(envelope.bornAtMs),
    };
    const log = processing.log.with({ handler: handler.name, message: envelope.id });
    const returned = await withDeadline(
      () => handler.handle(message, { deps: processing.deps, out, signal: stop, log }),
      handler,
      clock,
      deadline,
      signal,
    );
    const emitted = await emit(returned, made, {
      source: processing.names.source,
      handlerName: handler.name,
      input: envelope,
      nowMs: clock.nowMs(),
    });
    const emissions = made.map((emission) => ({ ...emission, topic: emission.topic.name }));
    return {
      envelope,
      value,
      outcome: { kind: "done", ...emitted },
      verdict: null,
      decidedAtMs: clock.nowMs(),
      emissions,
    };
  } catch (thrown) {
    if (signal.aborted)
      return {
        envelope,
        value,
        outcome: { kind: "aborted" },
        verdict: null,
        decidedAtMs: clock.nowMs(),
        emissions: [],
      };
    verdict = decideRetry({
      thrown,
      envelope,
      rules: handler.retry,
      maxAgeMs: handler.maxAgeMs,
      nowMs: clock.nowMs(),
      random: processing.random,
    });
  } finally {
    deadline.abort();
  }
  return {
    envelope,
    value,
    outcome: outcomeOf(verdict, record, envelope, processing),
    verdict,
    decidedAtMs: clock.nowMs(),
    emissions: [],
  };
}

/** Races the handler against its deadline and the outside's signal; a handler that ignores both is left behind. */
async function withDeadline(
  run: () => unknown,
  handler: Handler,
  clock: Clock,
  deadline: AbortController,
  signal: AbortSignal,
): Promise<unknown> {
  const { promise, reject } = Promise.withResolvers<never>();
  // Rejections after the race is decided have no one to tell.
  promise.catch(() => {});
  const cancel = clock.after(handler.timeoutMs, () => {
    const error = new CauceError(
      "handler_timeout",
      `the handler ran longer than ${describeMs(handler.timeoutMs)}`,
    );
    deadline.abort(error);
    reject(error);
  });
  const aborted = () => reject(new CauceError("aborted", "stopped: the partition moved or the process ends"));
  signal.addEventListener("abort", aborted, { once: true });
  try {
    if (signal.aborted) aborted();
    return await Promise.race([Promise.try(run), promise]);
  } finally {
    cancel();
    signal.removeEventListener("abort", aborted);
  }
}

function unreadable(
  thrown: unknown,
  record: IncomingRecord,
  envelope: Envelope,
  processing: Processing,
): Outcome {
  const error = (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, LONGEST_ERROR_TEXT);
  return dead(record, envelope, processing, causeOf(thrown), error, envelope);
}

function outcomeOf(
  verdict: Verdict,
  record: IncomingRecord,
  envelope: Envelope,
  processing: Processing,
): Outcome {
  switch (verdict.kind) {
    case "unavailable":
      return verdict;
    case "dead":
      return dead(record, envelope, processing, verdict.cause, verdict.error, verdict);
    case "retry": {
      const delivery = envelope.delivery + 1;
      const { attempts, deferrals, delayMs, reason, error } = verdict;
      return {
        kind: "retry",
        schedule: {
          handler: processing.handler.name,
          messageId: envelope.id,
          delivery,
          record: {
            topic: processing.names.retryTopic,
            key: record.key,
            value: record.value,
            headers: withCounters(record, envelope, { attempts, deferrals, delivery }),
          },
          kind: "retry",
          reason,
          error,
          attempts,
          deferrals,
          delayMs,
          bornAtMs: envelope.bornAtMs,
        },
      };
    }
  }
}

function dead(
  record: IncomingRecord,
  envelope: Envelope,
  { handler }: Processing,
  cause: string,
  error: string,
  counters: Omit<Counters, "delivery">,
): Outcome {
  return {
    kind: "dead",
    letter: {
      handler: handler.name,
      messageId: envelope.id,
      delivery: envelope.delivery,
      record: { topic: handler.on.name, key: record.key, value: record.value, headers: record.headers },
      partition: record.partition,
      offset: record.offset,
      cause,
      error,
      attempts: counters.attempts,
      deferrals: counters.deferrals,
    },
  };
}
