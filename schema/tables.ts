/**
 * The application's tables. People read them with plain SQL, so columns are named as one would ask for them.
 *
 * In: nothing. Out: drizzle descriptions; `migrations/` is generated from them (`bunx drizzle-kit generate --config
 * schema/drizzle.config.ts`). Never here: queries (handlers/shared/storage), the runtime's own tables (schema `cauce`).
 */
import { sql } from "drizzle-orm";
import {
  bigint,
  bigserial,
  boolean,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  pgView,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from "drizzle-orm/pg-core";

const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });

/** Where a question can be. The last three are ends; asking again after `failed` or `cancelled` opens a new round. */
export const QUESTION_STATES = [
  "queued",
  "generating",
  "scoring",
  "waiting",
  "done",
  "failed",
  "cancelled",
] as const;
export type QuestionState = (typeof QUESTION_STATES)[number];

/** The claim: one row per question, with everything that is needed to publish its request again. */
export const question = pgTable(
  "question",
  {
    /** The question's hash. */
    id: text("id").primaryKey(),
    title: text("title").notNull(),
    content: text("content").notNull(),
    /** The first asker's reference answer; others are in `reference_answer`. */
    best_answer: text("best_answer").notNull(),
    round: integer("round").notNull().default(1),
    state: text("state", { enum: QUESTION_STATES }).notNull().default("queued"),
    /** When the state changed last, as told by the process that saw it. */
    state_at: moment("state_at").notNull().defaultNow(),
    /** While `waiting`: why and until when, as far as known. The schedule itself decides: see `question_waiting`. */
    waiting_reason: text("waiting_reason"),
    waiting_until: moment("waiting_until"),
    /** Why it failed or was cancelled. */
    reason: text("reason"),
    claimed_at: moment("claimed_at").notNull().defaultNow(),
    /** When the broker had acknowledged this round's request; null until then. */
    published_at: moment("published_at"),
    /** When publishing was tried last. */
    publish_tried_at: moment("publish_tried_at").notNull().defaultNow(),
    /** The embedded broker's generation that got the request; null on a real broker. */
    broker_generation: text("broker_generation"),
    ended_at: moment("ended_at"),
  },
  (table) => [
    index("question_unpublished")
      .on(table.publish_tried_at)
      .where(sql`published_at is null and state = 'queued'`),
    index("question_open")
      .on(table.claimed_at)
      .where(sql`state not in ('done', 'failed', 'cancelled')`),
  ],
);

/** One row per delivered result. Repeats of a message meet the unique key; the newest row answers. */
export const responseEvent = pgTable(
  "response_event",
  {
    id: bigserial("id", { mode: "bigint" }).primaryKey(),
    question_hash: text("question_hash").notNull(),
    round: integer("round").notNull(),
    title: text("title").notNull(),
    content: text("content").notNull(),
    best_answer: text("best_answer").notNull(),
    answer: text("answer").notNull(),
    /** 0 to 10: the weighted sum of the rubric. */
    score: doublePrecision("score").notNull(),
    /** Criterion → points from 0 to 10. */
    rubric: jsonb("rubric").$type<Record<string, number>>().notNull(),
    /** True for the best that could be had when the attempts ran out. */
    below_threshold: boolean("below_threshold").notNull(),
    model: text("model").notNull(),
    /** Who scored it; says so when it was the offline judge. */
    judge: text("judge").notNull(),
    /** Of the rubric and prompt by which it was scored: two scores with the same one are comparable. */
    rubric_hash: text("rubric_hash"),
    usage: jsonb("usage").$type<Record<string, unknown>>(),
    /** Model calls that counted. */
    attempts: integer("attempts").notNull(),
    deferrals: integer("deferrals").notNull(),
    created_at: moment("created_at").notNull().defaultNow(),
  },
  (table) => [
    uniqueIndex("response_event_question_hash_round").on(table.question_hash, table.round),
    index("response_event_created_at").on(table.created_at),
  ],
);

/** What happened to a question, step by step: written in batches beside the main path. A lost row is no error. */
export const questionStep = pgTable(
  "question_step",
  {
    id: bigserial("id", { mode: "bigint" }).primaryKey(),
    question_hash: text("question_hash").notNull(),
    round: integer("round").notNull(),
    /** queued, generating, answered, error, waiting, scoring, scored, stored, failed, retrying, dead, hit */
    step: text("step").notNull(),
    at: moment("at").notNull(),
    handler: text("handler"),
    message_id: text("message_id"),
    /** What belongs to the step: error_type, delay_ms, score, model, reason, … */
    detail: jsonb("detail").$type<Record<string, unknown>>().notNull(),
  },
  (table) => [
    index("question_step_question_hash").on(table.question_hash, table.id),
    index("question_step_at").on(table.at),
  ],
);

/** Reference answers of later askers that differ from the first one. They are kept, not used. */
export const referenceAnswer = pgTable(
  "reference_answer",
  {
    id: bigint("id", { mode: "bigint" }).primaryKey().generatedAlwaysAsIdentity(),
    question_hash: text("question_hash").notNull(),
    best_answer: text("best_answer").notNull(),
    /** md5 of `best_answer`: an index entry must stay small. */
    best_answer_md5: text("best_answer_md5")
      .notNull()
      .generatedAlwaysAs(sql`md5(best_answer)`),
    asked_at: moment("asked_at").notNull().defaultNow(),
  },
  (table) => [uniqueIndex("reference_answer_once").on(table.question_hash, table.best_answer_md5)],
);

/** What a call of a model was for. */
export const CALL_PURPOSES = ["answer", "judge"] as const;
export type CallPurpose = (typeof CALL_PURPOSES)[number];

/**
 * Every call of a model, once: a finished one is found again by whoever meets the same question, round and attempt, and is
 * not paid twice. The rows are the books too: what was used, and what it cost.
 */
export const modelCall = pgTable(
  "model_call",
  {
    question_hash: text("question_hash").notNull(),
    round: integer("round").notNull(),
    /** From 1: the attempt that this call is. */
    attempt: integer("attempt").notNull(),
    purpose: text("purpose", { enum: CALL_PURPOSES }).notNull(),
    /** The model that was asked for. */
    model: text("model").notNull(),
    /** The name under which the provider answered. */
    answered_by: text("answered_by"),
    prompt_version: text("prompt_version").notNull(),
    /** How often the model was asked: more than once only where a process died before the answer was written here. */
    calls: integer("calls").notNull(),
    /** Who asks now, and until when nobody else does. */
    token: text("token").notNull(),
    calling_until: moment("calling_until").notNull(),
    started_at: moment("started_at").notNull().defaultNow(),
    /** When it was over, well or not; null until then. */
    finished_at: moment("finished_at"),
    answer: text("answer"),
    /** What a judge said, as the pipeline uses it. */
    judgement: jsonb("judgement").$type<Record<string, unknown>>(),
    /** What it failed with, for a failure that counts as an attempt. */
    error_type: text("error_type"),
    error: text("error"),
    /** Tokens as the provider counted them. */
    prompt_tokens: integer("prompt_tokens").notNull().default(0),
    completion_tokens: integer("completion_tokens").notNull().default(0),
    /** In the currency of the configured prices; null where there are none. */
    price: doublePrecision("price"),
  },
  (table) => [
    primaryKey({ columns: [table.question_hash, table.round, table.attempt, table.purpose] }),
    index("model_call_finished_at").on(table.finished_at),
  ],
);

/** Per day (UTC), model and purpose. */
export const costPerDay = pgView("cost_per_day", {
  day: timestamp("day", { mode: "date" }),
  model: text("model"),
  purpose: text("purpose"),
  calls: bigint("calls", { mode: "number" }),
  failed: bigint("failed", { mode: "number" }),
  prompt_tokens: bigint("prompt_tokens", { mode: "number" }),
  completion_tokens: bigint("completion_tokens", { mode: "number" }),
  price: doublePrecision("price"),
}).as(sql`
  select date_trunc('day', finished_at at time zone 'UTC') as day, model, purpose,
         sum(calls)::bigint as calls, count(error_type) as failed,
         sum(prompt_tokens)::bigint as prompt_tokens, sum(completion_tokens)::bigint as completion_tokens,
         sum(price) as price
    from model_call where finished_at is not null
   group by 1, 2, 3`);

/** Per model and purpose, over all time. */
export const costPerModel = pgView("cost_per_model", {
  model: text("model"),
  purpose: text("purpose"),
  calls: bigint("calls", { mode: "number" }),
  failed: bigint("failed", { mode: "number" }),
  /** Calls beyond the first of their attempt: what deaths of processes have cost. */
  repeated: bigint("repeated", { mode: "number" }),
  prompt_tokens: bigint("prompt_tokens", { mode: "number" }),
  completion_tokens: bigint("completion_tokens", { mode: "number" }),
  price: doublePrecision("price"),
}).as(sql`
  select model, purpose, sum(calls)::bigint as calls, count(error_type) as failed,
         sum(greatest(calls - 1, 0))::bigint as repeated,
         sum(prompt_tokens)::bigint as prompt_tokens, sum(completion_tokens)::bigint as completion_tokens,
         sum(price) as price
    from model_call group by 1, 2`);

/** Per delivered answer: all that its round has used, failures, rejected answers and judging among it. */
export const costPerAnswer = pgView("cost_per_answer", {
  question_hash: text("question_hash"),
  round: integer("round"),
  model: text("model"),
  accepted: boolean("accepted"),
  score: doublePrecision("score"),
  created_at: moment("created_at"),
  calls: bigint("calls", { mode: "number" }),
  prompt_tokens: bigint("prompt_tokens", { mode: "number" }),
  completion_tokens: bigint("completion_tokens", { mode: "number" }),
  price: doublePrecision("price"),
}).as(sql`
  select answered.question_hash, answered.round, answered.model, not answered.below_threshold as accepted,
         answered.score, answered.created_at, coalesce(sum(used.calls), 0)::bigint as calls,
         coalesce(sum(used.prompt_tokens), 0)::bigint as prompt_tokens,
         coalesce(sum(used.completion_tokens), 0)::bigint as completion_tokens, sum(used.price) as price
    from response_event answered
    left join model_call used on used.question_hash = answered.question_hash and used.round = answered.round
   group by answered.id`);

/** Who may ask. The key itself is kept nowhere. Revoked ones stay: a door that once needed keys never opens by itself. */
export const apiKey = pgTable("api_key", {
  /** The public part of the key. */
  id: text("id").primaryKey(),
  /** Whose it is, for people. */
  name: text("name").notNull(),
  /** SHA-256 of the whole key, hex. */
  key_sha256: text("key_sha256").notNull(),
  /** Requests a minute; null for any number. */
  per_minute: integer("per_minute"),
  made_at: moment("made_at").notNull().defaultNow(),
  revoked_at: moment("revoked_at"),
});
