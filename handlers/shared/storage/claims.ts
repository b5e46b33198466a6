/**
 * The claim: of any number of askers of one question exactly one wins, and the winner's request is kept whole.
 *
 * In: a question. Out: who won and in which round. The row outlives every process: what was claimed and not published is
 * published again by the keeper (handlers/shared/keeper).
 */
import { and, eq, isNull, sql } from "drizzle-orm";
import { question, referenceAnswer, responseEvent, type QuestionState } from "../../../schema/tables.ts";
import type { Database, Queries } from "./database.ts";

/** What somebody asked. */
export interface AskedQuestion {
  readonly id: string;
  readonly title: string;
  readonly content: string;
  readonly best_answer: string;
}

/** A question whose request has to be published. The first asker's words and reference answer. */
export interface Claim extends AskedQuestion {
  readonly round: number;
  readonly claimed_at: Date;
}

export type ClaimResult =
  { readonly won: true; readonly claim: Claim } | { readonly won: false; readonly state: QuestionState };

/** Other reference answers kept for one question. */
const MOST_REFERENCES = 20;

/** The columns of a claim, as `returning` and `select` take them. */
export const claimColumns = {
  id: question.id,
  title: question.title,
  content: question.content,
  best_answer: question.best_answer,
  round: question.round,
  claimed_at: question.claimed_at,
};

/**
 * Claims a question, nearly always in one statement. A question that failed, was cancelled, or is done without a result
 * left (somebody deleted the row) opens its next round.
 */
export function claimQuestion(
  database: Database,
  asked: AskedQuestion,
  brokerGeneration: string | null,
): Promise<ClaimResult> {
  return database.run("claiming a question", async (db) => {
    const [claim] = await db
      .insert(question)
      .values({ ...asked, broker_generation: brokerGeneration })
      .onConflictDoUpdate({
        target: question.id,
        set: nextRound(brokerGeneration),
        setWhere: sql`${question.state} in ('failed', 'cancelled')`,
      })
      .returning(claimColumns);
    if (claim) {
      if (claim.best_answer !== asked.best_answer) await keepReference(db, asked);
      return { won: true, claim };
    }
    await keepReference(db, asked);
    const [found] = await db
      .select({ state: question.state })
      .from(question)
      .where(eq(question.id, asked.id));
    if (found?.state !== "done") return { won: false, state: found?.state ?? "queued" };
    const [again] = await reopen(db, asked.id, brokerGeneration);
    return again ? { won: true, claim: again } : { won: false, state: "done" };
  });
}

/**
 * The next round of a question that is done without a result. A statement of its own: the claiming one may have waited for
 * the transaction that stored the result, and then sees the question as it is now, and results as they were before.
 */
function reopen(db: Queries, id: string, brokerGeneration: string | null): Promise<Claim[]> {
  return db
    .update(question)
    .set(nextRound(brokerGeneration))
    .where(
      sql`${question.id} = ${id} and ${question.state} = 'done' and not exists (
        select from ${responseEvent} where ${responseEvent.question_hash} = ${question.id})`,
    )
    .returning(claimColumns);
}

function nextRound(brokerGeneration: string | null) {
  return {
    round: sql`${question.round} + 1`,
    state: "queued",
    state_at: sql`now()`,
    waiting_reason: null,
    waiting_until: null,
    reason: null,
    claimed_at: sql`now()`,
    published_at: null,
    publish_tried_at: sql`now()`,
    broker_generation: brokerGeneration,
    ended_at: null,
  } as const;
}

/** The broker has this round's request. */
export function markPublished(
  database: Database,
  { id, round }: { id: string; round: number },
): Promise<void> {
  return database.run("marking a claim as published", async (db) => {
    await db
      .update(question)
      .set({ published_at: sql`now()` })
      .where(and(eq(question.id, id), eq(question.round, round), isNull(question.published_at)));
  });
}

/** Nothing of this claim was sent: whoever looks next may publish it at once. */
export function releaseClaim(
  database: Database,
  { id, round }: { id: string; round: number },
): Promise<void> {
  return database.run("releasing a claim", async (db) => {
    await db
      .update(question)
      .set({ publish_tried_at: sql`'-infinity'` })
      .where(and(eq(question.id, id), eq(question.round, round), isNull(question.published_at)));
  });
}

/** Records a reference answer that differs from the first asker's. Empty ones say nothing. */
async function keepReference(db: Queries, { id, best_answer }: AskedQuestion): Promise<void> {
  if (best_answer === "") return;
  await db.execute(sql`
    insert into ${referenceAnswer} (question_hash, best_answer)
    select id, ${best_answer} from ${question}
    where id = ${id} and best_answer <> ${best_answer}
      and (select count(*) from ${referenceAnswer} where question_hash = ${id}) < ${MOST_REFERENCES}
    on conflict do nothing`);
}
