/**
 * Tests of handlers as sentences: `await given(answer, { deps }).when(question).emits({ generated: { answer: "42" } })`.
 *
 * In: a handler, a value for its topic. Out: nothing, or an error that shows what came instead.
 * The handler runs through the real *process*, with its schemas, deadline and retry rules; no broker, no database. A handler
 * of batches gets a batch of one.
 */
import type { IncomingRecord } from "../bus/bus.ts";
import { Deadlines } from "../engine/deadlines.ts";
import { recordOf } from "../engine/emit.ts";
import { withCounters, readEnvelope } from "../engine/envelope.ts";
import { namesFor } from "../engine/names.ts";
import { processBatch } from "../engine/process-batch.ts";
import { attemptOf, processRecord, type Processed } from "../engine/process.ts";
import { systemClock, type Clock, type Random } from "../ground/clock.ts";
import { durationMs, type Duration } from "../ground/duration.ts";
import { CauceError } from "../ground/errors.ts";
import { silentLog } from "../ground/log.ts";
import type { ErrorClass } from "../handler/retry-rule.ts";
import type { Handler } from "../handler/handler.ts";

export interface GivenOptions {
  readonly deps?: unknown;
  readonly clock?: Clock;
  /** Default: always 0.5, which is no jitter at all. */
  readonly random?: Random;
}

export interface WhenOptions {
  /** How often it failed before. */
  readonly attempts?: number;
  readonly deferrals?: number;
  readonly id?: string;
}

export interface Scenario {
  /** Passes when exactly these outputs were made, in any order; an expected value may leave fields out. */
  emits(expected: Readonly<Record<string, unknown>>): Promise<void>;
  /** Passes when one output goes to this topic after this delay. */
  emitsLater(output: { readonly topic: string; readonly after: Duration }): Promise<void>;
  emitsNothing(): Promise<void>;
  /** Passes when the message becomes a dead letter because of this error. */
  failsWith(kind: ErrorClass): Promise<void>;
  /** Passes when the message comes back, after this delay where one is given. */
  retries(after?: Duration): Promise<void>;
  /** What *process* made of it, for everything else. */
  processed(): Promise<Processed>;
}

export function given(handler: Handler, options: GivenOptions = {}) {
  const named = handler.name === "" ? { ...handler, name: "handler" } : handler;
  return {
    /** A value as a producer would send it. It is validated as such. */
    when(value: unknown, counters: WhenOptions = {}): Scenario {
      const processed = run(named, value, options, counters);
      // The assertion that the caller makes awaits it; until then a failure is no one's.
      processed.catch(() => {});
      return scenario(named, processed);
    },
  };
}

async function run(
  handler: Handler,
  value: unknown,
  options: GivenOptions,
  counters: WhenOptions,
): Promise<Processed> {
  const clock = options.clock ?? systemClock;
  const made = await recordOf(handler.on, value, {
    id: counters.id ?? "given",
    source: "/test",
    bornAtMs: clock.nowMs(),
    traceparent: null,
  });
  const first: IncomingRecord = { ...made, partition: 0, offset: 0, timestampMs: clock.nowMs() };
  const { attempts = 0, deferrals = 0 } = counters;
  const headers = withCounters(first, readEnvelope(first), {
    attempts,
    deferrals,
    delivery: attempts + deferrals,
  });
  const processing = {
    handler,
    names: namesFor("test", handler),
    deps: options.deps ?? {},
    clock,
    random: options.random ?? (() => 0.5),
    log: silentLog,
    deadlines: new Deadlines({ clock, afterMs: handler.timeoutMs }),
  };
  const uninterrupted = { interrupted: false, onInterrupt: new Set<() => void>() };
  try {
    const record = { ...first, headers };
    if (handler.batch === null) return await processRecord(attemptOf(record, processing, uninterrupted));
    const [one] = await processBatch([record], handler.batch, { processing, interruption: uninterrupted });
    if (one === undefined) throw new CauceError("defect", "a batch of one message had no answer");
    return one;
  } finally {
    processing.deadlines.stop();
  }
}

function scenario(handler: Handler, running: Promise<Processed>): Scenario {
  return {
    processed: () => running,
    async emits(expected) {
      const processed = await running;
      const made = emissionsOf(processed);
      const wanted = Object.entries(expected).flatMap(([output, value]) =>
        (Array.isArray(value) ? value : [value]).map((one: unknown) => ({
          topic: topicOf(handler, output),
          value: one,
        })),
      );
      const left = [...made];
      for (const want of wanted) {
        const at = left.findIndex(
          (emission) => emission.topic.name === want.topic && matches(want.value, emission.value),
        );
        if (at < 0) fail(`an output on ${want.topic} like ${show(want.value)}`, processed);
        left.splice(at, 1);
      }
      if (left.length > 0) fail(`no output but the ${wanted.length} expected`, processed);
    },
    async emitsLater({ topic, after }) {
      const processed = await running;
      const found = emissionsOf(processed).some(
        (emission) => emission.topic.name === topic && emission.afterMs === durationMs(after),
      );
      if (!found) fail(`an output on ${topic} after ${after}`, processed);
    },
    async emitsNothing() {
      const processed = await running;
      if (processed.outcome.kind !== "done" || processed.emissions.length > 0)
        fail("success without outputs", processed);
    },
    async failsWith(kind) {
      const processed = await running;
      if (processed.outcome.kind !== "dead") fail(`a dead letter because of ${kind.name}`, processed);
      else if (processed.outcome.letter.cause !== kind.name) fail(`${kind.name} as the cause`, processed);
    },
    async retries(after) {
      const processed = await running;
      if (processed.outcome.kind !== "retry") fail("a retry", processed);
      else if (after !== undefined && processed.outcome.schedule.delayMs !== durationMs(after)) {
        fail(`a retry after ${after}`, processed);
      }
    },
  };
}

function emissionsOf(processed: Processed): Processed["emissions"] {
  return processed.outcome.kind === "done" ? processed.emissions : fail("outputs", processed);
}

function topicOf(handler: Handler, output: string): string {
  return handler.out[output]?.name ?? output;
}

function matches(expected: unknown, actual: unknown): boolean {
  if (typeof expected !== "object" || expected === null) return Object.is(expected, actual);
  if (typeof actual !== "object" || actual === null) return false;
  if (Array.isArray(expected) && (!Array.isArray(actual) || actual.length !== expected.length)) return false;
  return Object.entries(expected).every(([name, value]) => matches(value, Reflect.get(actual, name)));
}

function fail(expected: string, { outcome, emissions }: Processed): never {
  const came =
    outcome.kind === "done"
      ? emissions.length === 0
        ? "success without outputs"
        : emissions
            .map(
              ({ topic, value, afterMs }) =>
                `${topic.name}${afterMs === null ? "" : ` after ${afterMs} ms`}: ${show(value)}`,
            )
            .join("\n  ")
      : outcome.kind === "retry"
        ? `a retry after ${outcome.schedule.delayMs} ms because of ${outcome.schedule.reason}: ${outcome.schedule.error}`
        : outcome.kind === "dead"
          ? `a dead letter because of ${outcome.letter.cause}: ${outcome.letter.error}`
          : outcome.kind;
  throw new Error(`expected ${expected}, but came:\n  ${came}`);
}

function show(value: unknown): string {
  return JSON.stringify(value);
}
