/**
 * The five topics of the question → answer pipeline: the one registry of names, values and keys.
 *
 * Values are plain JSON, so that console tools show them. Every schema is loose: a field that an older process does not
 * know passes through it untouched. Never here: what is done with a value (handlers/).
 */
import { topic, type OutputOf } from "cauce";
import * as v from "valibot";

/** Twelve divide evenly among 1, 2, 3, 4, 6 and 12 processes. */
const PARTITIONS = 12;

/** A counter that came over the wire: whole, not negative. */
const counter = v.pipe(v.number(), v.integer(), v.minValue(0));

/** Criterion → points from 0 to 10. */
const rubric = v.record(v.string(), v.number());

/** What the model says it spent. */
const usage = v.looseObject({
  prompt_tokens: v.optional(counter),
  completion_tokens: v.optional(counter),
  total_tokens: v.optional(counter),
});

/** The best answer so far: delivered, marked, when the attempts run out. */
const BestSoFar = v.looseObject({
  answer: v.string(),
  score: v.number(),
  rubric,
  model: v.string(),
  /** Did it pass the accuracy gate? An answer that did beats any that did not. */
  gate_passed: v.optional(v.boolean()),
  judge: v.optional(v.string()),
  rubric_hash: v.optional(v.string()),
  usage: v.optional(usage),
});

const Question = v.looseObject({
  /** The question's hash: 32 hex digits. */
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "expected 32 hex digits")),
  title: v.string(),
  content: v.string(),
  best_answer: v.string(),
  /** Model calls that counted so far: answers and failures, rate limits left out. */
  attempts: counter,
  /** 1 for the first time this question is asked; +1 when it is asked again after it failed or was cancelled. */
  round: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** How often it was put off without spending an attempt. */
  deferrals: counter,
  best: v.optional(BestSoFar),
  /** What the judge found wanting in `best`. */
  feedback: v.optional(v.string()),
  /** When it was asked, ISO 8601: its greatest age counts from here. Set by whoever meets the question first. */
  asked_at: v.optional(v.string()),
  /** The score of every answer so far, in order. */
  scores: v.optional(v.array(v.number())),
});

const Answered = v.looseObject({
  ...Question.entries,
  answer: v.string(),
  model: v.string(),
  usage: v.optional(usage),
});

const FailedCall = v.looseObject({
  ...Question.entries,
  /** `rate_limit`, `timeout`, `overloaded`, `bad_output`, `refused`, `context_too_long`, … */
  error_type: v.string(),
  message: v.string(),
  /** How long the model asked us to stay away. */
  retry_after_ms: v.optional(v.number()),
});

const Validated = v.looseObject({
  ...Answered.entries,
  score: v.number(),
  rubric,
  below_threshold: v.boolean(),
  judge: v.optional(v.string()),
  /** Of the rubric and prompt by which it was scored. */
  rubric_hash: v.optional(v.string()),
});

const Failed = v.looseObject({
  ...Question.entries,
  reason: v.string(),
});

const key = (value: { readonly id: string }) => value.id;

export const requests = topic("llm.requests", { schema: Question, key, partitions: PARTITIONS });
export const generated = topic("llm.generated", { schema: Answered, key, partitions: PARTITIONS });
export const errors = topic("llm.errors", { schema: FailedCall, key, partitions: PARTITIONS });
export const validated = topic("llm.validated", { schema: Validated, key, partitions: PARTITIONS });
export const failed = topic("llm.failed", { schema: Failed, key, partitions: PARTITIONS });

export type Request = OutputOf<typeof requests>;
export type Answered = OutputOf<typeof generated>;
export type FailedCall = OutputOf<typeof errors>;
export type Validated = OutputOf<typeof validated>;
export type Failed = OutputOf<typeof failed>;
export type Best = NonNullable<Request["best"]>;
