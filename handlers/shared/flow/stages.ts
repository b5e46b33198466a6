/**
 * From one stage's value to the next one's, without leaving anything behind that is not ours.
 *
 * In: a value of any stage. Out: the request in it, the best answer so far, the value that ends a question.
 * Fields that this version does not know stay: a newer process may need them.
 */
import type { Answered, Best, Failed, Request, Validated } from "../../../schema/topics.ts";

/** What stages after the request have put on top of it. */
export const STAGE_FIELDS = [
  "answer",
  "model",
  "usage",
  "error_type",
  "message",
  "retry_after_ms",
  "score",
  "rubric",
  "below_threshold",
  "judge",
  "rubric_hash",
  "reason",
];

/** The request inside a later stage's value. */
export function requestIn(value: Request): Request {
  const request = { ...value };
  for (const field of STAGE_FIELDS) delete request[field];
  return request;
}

/** How long ago the question was asked, in ms. A message written by hand may not say: then its own birth counts. */
export function ageOf(value: Request, bornAt: Date, nowMs: number): number {
  const askedAtMs = Date.parse(value.asked_at ?? "");
  return Math.max(0, nowMs - (Number.isNaN(askedAtMs) ? bornAt.getTime() : askedAtMs));
}

/** An answer that passed the accuracy gate beats one that did not; then the score decides; then the earlier one stays. */
export function betterOf(known: Best | undefined, candidate: Best): Best {
  if (!known) return candidate;
  const gates = Number(candidate.gate_passed ?? false) - Number(known.gate_passed ?? false);
  if (gates !== 0) return gates > 0 ? candidate : known;
  return candidate.score > known.score ? candidate : known;
}

export interface Scored {
  readonly score: number;
  readonly rubric: Readonly<Record<string, number>>;
  readonly gate_passed: boolean;
  readonly judge: string;
  readonly rubric_hash?: string;
}

/** A scored answer as one that can be the best so far. */
export function bestFrom(value: Answered, scored: Scored): Best {
  const { score, rubric, gate_passed, judge, rubric_hash } = scored;
  return {
    answer: value.answer,
    score,
    rubric: { ...rubric },
    model: value.model,
    gate_passed,
    judge,
    ...(rubric_hash === undefined ? {} : { rubric_hash }),
    ...(value.usage === undefined ? {} : { usage: value.usage }),
  };
}

/** How a question ends that got no good enough answer: with the best one, marked, or as failed. */
export type Ending =
  { readonly to: "validated"; readonly value: Validated } | { readonly to: "failed"; readonly value: Failed };

export function endingOf(value: Request, reason: string): Ending {
  const request = requestIn(value);
  if (!request.best) return { to: "failed", value: { ...request, reason } };
  const { answer, score, rubric, model, judge, rubric_hash, usage } = request.best;
  return {
    to: "validated",
    value: {
      ...request,
      answer,
      model,
      score,
      rubric,
      below_threshold: true,
      ...(usage === undefined ? {} : { usage }),
      ...(judge === undefined ? {} : { judge }),
      ...(rubric_hash === undefined ? {} : { rubric_hash }),
    },
  };
}
