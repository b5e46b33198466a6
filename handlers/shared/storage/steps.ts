/**
 * Step rows, many at a time, and the state of open questions that follows from them.
 *
 * In: what was seen. Out: rows in `question_step`, states in `question`. An older sight never overwrites a newer one,
 * and an end is never undone.
 */
import { sql } from "drizzle-orm";
import { question, questionStep, type QuestionState } from "../../../schema/tables.ts";
import type { Database } from "./database.ts";
import { statement } from "./statement.ts";
import { storableJsonText } from "./storable.ts";

/** One step of one question. */
export interface QuestionStep {
  readonly id: string;
  readonly round: number;
  readonly step:
    | "queued"
    | "generating"
    | "answered"
    | "error"
    | "waiting"
    | "scoring"
    | "scored"
    | "stored"
    | "failed"
    | "retrying"
    | "dead"
    | "hit";
  readonly atMs: number;
  readonly handler?: string;
  readonly messageId?: string;
  readonly detail: Readonly<Record<string, unknown>>;
  /** The state that the question is in from now on, where the step tells. */
  readonly state?: Extract<QuestionState, "queued" | "generating" | "scoring" | "waiting">;
  readonly waiting?: { readonly reason: string; readonly untilMs: number };
}

/** Where new rows are announced, with NOTIFY. */
export const STEPS_CHANNEL = "question_step";
/** "cauce-st" as a number: held while rows are written. */
const STEPS_LOCK = 7_165_414_205;

/**
 * Writes steps and announces them. Writers take turns from before their first row has its id until it is committed, so rows become
 * visible in the order of their ids: a reader that has seen one has missed none before it.
 */
export async function writeSteps(database: Database, steps: readonly QuestionStep[]): Promise<void> {
  if (steps.length === 0) return;
  await database.perform("writing steps", WRITE, {
    steps: storableJsonText(steps.map(rowOf)),
    states: storableJsonText(statesOf(steps)),
  });
}

/**
 * One statement, for all of it is one round trip between questions that people wait for. Lossy by design, so nobody waits for the disk,
 * and nobody else's commit waits behind this one. Ids are given to rows that came out of the join with the lock.
 *
 * States are moved in the order of ids, so that two writers never wait for each other in a circle. `coalesce` keeps the planner from the
 * index of open questions, which it would read whole, and arrays keep it by the key, as in claims.ts.
 */
const WRITE = statement<{ steps: string; states: string }>(
  () => sql`
    with turn as materialized (
      select set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock(${STEPS_LOCK}::bigint)
    ), written as (
      insert into ${questionStep} (question_hash, round, step, at, handler, message_id, detail)
      select id, round, step, at, handler, message_id, detail
        from turn, jsonb_to_recordset(${sql.placeholder("steps")}::text::jsonb)
          as rows (id text, round int, step text, at timestamptz, handler text, message_id text, detail jsonb)
    ), given as (
      select ${sql.placeholder("states")}::text::jsonb as columns from turn
    ), seen as (
      select seen.* from given, unnest(
        array(select jsonb_array_elements_text(columns -> 'ids')),
        array(select jsonb_array_elements_text(columns -> 'rounds'))::int[],
        array(select jsonb_array_elements_text(columns -> 'states')),
        array(select jsonb_array_elements_text(columns -> 'at'))::timestamptz[],
        array(select jsonb_array_elements_text(columns -> 'reasons')),
        array(select jsonb_array_elements_text(columns -> 'until'))::timestamptz[]
      ) as seen (id, round, state, at, reason, until)
    ), locked as (
      select question.id from ${question} join seen using (id) order by question.id for update of question
    ), moved as (
      update ${question}
         set state = seen.state, state_at = seen.at, waiting_reason = seen.reason, waiting_until = seen.until
        from seen join locked using (id)
       where question.id = seen.id and question.round = seen.round and question.state_at <= seen.at
         and coalesce(question.state, '') not in ('done', 'failed', 'cancelled')
    )
    select pg_notify(${STEPS_CHANNEL}, '')`,
);

function rowOf({ id, round, step, atMs, handler, messageId, detail }: QuestionStep) {
  return { id, round, step, at: new Date(atMs).toISOString(), handler, message_id: messageId, detail };
}

/** The last state of each question among these steps, column by column. */
function statesOf(steps: readonly QuestionStep[]) {
  const newest = new Map<string, QuestionStep>();
  for (const step of steps) {
    if (step.state === undefined) continue;
    const known = newest.get(step.id);
    if (!known || step.round > known.round || (step.round === known.round && step.atMs >= known.atMs)) {
      newest.set(step.id, step);
    }
  }
  const last = [...newest.values()];
  return {
    ids: last.map(({ id }) => id),
    rounds: last.map(({ round }) => round),
    states: last.map(({ state }) => state),
    at: last.map(({ atMs }) => new Date(atMs).toISOString()),
    reasons: last.map(({ waiting }) => waiting?.reason ?? null),
    until: last.map(({ waiting }) => (waiting ? new Date(waiting.untilMs).toISOString() : null)),
  };
}

/** Deletes step rows older than this, a bounded number at a time. @returns how many. */
export function forgetSteps(
  database: Database,
  { olderThanMs, limit }: { readonly olderThanMs: number; readonly limit: number },
): Promise<number> {
  return database.run("deleting old steps", async (db) => {
    const rows = await db.execute(sql`
      delete from ${questionStep} where id in (
        select id from ${questionStep} where at < now() - make_interval(secs => ${olderThanMs / 1_000})
        order by at limit ${limit}) returning id`);
    return rows.length;
  });
}
