/**
 * Recorded messages through the real handler, as the runtime runs it: what the job must make of them too.
 *
 * In: records, a judge, limits, a clock that stands still. Out: for each the one record that is published, and which branch it
 * took. Never here: a broker.
 */
import scoring from "../../../handlers/llm.generated.ts";
import application from "../../../handlers/shared/app.ts";
import { givenDeps } from "../../../handlers/shared/given-deps.ts";
import type { Judge } from "../../../handlers/shared/judge/judge.ts";
import type { IncomingRecord, OutgoingRecord } from "../../../runtime/bus/bus.ts";
import { letterRecord } from "../../../runtime/engine/bury.ts";
import { Deadlines } from "../../../runtime/engine/deadlines.ts";
import { namesFor } from "../../../runtime/engine/names.ts";
import { attemptOf, processRecord, type Processed } from "../../../runtime/engine/process.ts";
import { systemClock } from "../../../runtime/ground/clock.ts";
import { silentLog } from "../../../runtime/ground/log.ts";
import { NOW_MS } from "./recordings.ts";

export const LIMITS = { maxAttempts: 5, maxAgeMs: 12 * 3_600_000, regenThreshold: 6 };

/** What a handler's retry or dead letter says when the judge's replies cannot be used. */
export const JUDGE_FAILED = "BadOutput";

export interface HandlerSide {
  readonly branch: string;
  /** Null where the handler lets the message wait instead: a judge that fails, a schema that is newer. */
  readonly published: OutgoingRecord | null;
  readonly processed: Processed;
}

/** One record through *process*, its handler and what is published of the outcome. */
export async function throughHandler(record: IncomingRecord, judge: Judge): Promise<HandlerSide> {
  const clock = { ...systemClock, nowMs: () => NOW_MS };
  const deps = { ...givenDeps({}), judge, clock };
  const names = namesFor(application.name, scoring);
  const deadlines = new Deadlines({ clock: systemClock, afterMs: scoring.timeoutMs });
  const processing = {
    handler: scoring,
    names,
    deps: { ...deps, limits: { ...deps.limits, ...LIMITS } },
    clock,
    random: () => 0,
    log: silentLog,
    deadlines,
  };
  try {
    const attempt = attemptOf(record, processing, { interrupted: false, onInterrupt: new Set() });
    const processed = await processRecord(attempt);
    return { ...publishedOf(processed, names.deadLetterTopic), processed };
  } finally {
    deadlines.stop();
  }
}

function publishedOf({ outcome, emissions, value }: Processed, deadLetterTopic: string) {
  // A judge that fails: the handler tries again later, and gives up at last.
  if (outcome.kind === "dead" && outcome.letter.cause === JUDGE_FAILED)
    return { branch: JUDGE_FAILED, published: null };
  if (outcome.kind === "dead")
    return { branch: outcome.letter.cause, published: letterRecord(outcome.letter, deadLetterTopic) };
  if (outcome.kind === "retry") return { branch: outcome.schedule.reason, published: null };
  const [output, ...more] = outcome.kind === "done" ? outcome.publish : [];
  const [emission] = emissions;
  if (output === undefined || emission === undefined || more.length > 0)
    throw new Error(`the scoring handler publishes one record, but this was ${outcome.kind}`);
  return { branch: branchOf(emission.output, emission.value, value), published: output.record };
}

interface Told {
  readonly answer?: unknown;
  readonly attempts?: number;
  readonly below_threshold?: boolean;
  readonly best?: { readonly answer?: unknown; readonly gate_passed?: boolean };
}

function branchOf(output: string, made: unknown, given: unknown): string {
  const { below_threshold, best, answer } = made as Told;
  const { attempts = 0, answer: scored } = given as Told;
  if (output === "requests") {
    const kept = best?.answer === scored ? "" : ", the best so far stays";
    return `again, ${best?.gate_passed === true ? "below the threshold" : "gate not passed"}${kept}`;
  }
  if (below_threshold !== true) return "passed";
  const why = attempts >= LIMITS.maxAttempts ? "attempts spent" : "too old";
  return `${why}, ${answer === scored ? "this answer" : "the best so far"} is delivered`;
}
