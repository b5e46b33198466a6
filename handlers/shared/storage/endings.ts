/**
 * The ends of a question that is not answered: so that nothing stays open for ever.
 *
 * In: ids with reasons, ages. Out: question rows in state `failed`. A question that is done stays done, and a later
 * round is never ended by an older one's message.
 */
import { and, eq, notInArray, sql } from "drizzle-orm";
import { question } from "../../../schema/tables.ts";
import type { Database } from "./database.ts";
import { storableText } from "./storable.ts";

export interface FailedQuestion {
  readonly id: string;
  readonly round: number;
  readonly reason: string;
  readonly title: string;
  readonly content: string;
  readonly best_answer: string;
}

/** Longer reasons are cut: they are for people. */
const LONGEST_REASON = 2_000;

const failedNow = (reason: string) =>
  ({
    state: "failed",
    state_at: sql`now()`,
    waiting_reason: null,
    waiting_until: null,
    reason: storableText(reason).slice(0, LONGEST_REASON),
    ended_at: sql`now()`,
  }) as const;

/** Ends a question as failed; one that was never claimed (written to the topic by hand) gets its row. */
export function failQuestion(database: Database, failed: FailedQuestion): Promise<void> {
  return database.run("ending a question as failed", async (db) => {
    const ending = failedNow(failed.reason);
    await db
      .insert(question)
      .values({
        id: failed.id,
        title: storableText(failed.title),
        content: storableText(failed.content),
        best_answer: storableText(failed.best_answer),
        round: failed.round,
        ...ending,
        published_at: sql`now()`,
      })
      .onConflictDoUpdate({
        target: question.id,
        set: ending,
        setWhere: sql`${question.round} = ${failed.round} and ${question.state} not in ('done', 'failed', 'cancelled')`,
      });
  });
}

/** Ends a question whose message died: nothing but id and round is known. @returns whether it was open. */
export function failOpenQuestion(
  database: Database,
  { id, round, reason }: Pick<FailedQuestion, "id" | "round" | "reason">,
): Promise<boolean> {
  return database.run("ending a question whose message died", async (db) => {
    const rows = await db
      .update(question)
      .set(failedNow(reason))
      .where(
        and(
          eq(question.id, id),
          eq(question.round, round),
          notInArray(question.state, ["done", "failed", "cancelled"]),
        ),
      )
      .returning({ id: question.id });
    return rows.length > 0;
  });
}

/** Ends open questions older than this: far past their greatest age nothing of them waits any more. @returns how many. */
export function failForgotten(
  database: Database,
  { olderThanMs, limit }: { readonly olderThanMs: number; readonly limit: number },
): Promise<number> {
  return database.run("ending forgotten questions", async (db) => {
    const rows = await db
      .update(question)
      .set(failedNow("no answer came and nothing is on its way any more; ask again"))
      .where(
        sql`${question.id} in (
          select id from ${question}
          where state not in ('done', 'failed', 'cancelled')
            and claimed_at < now() - make_interval(secs => ${olderThanMs / 1_000})
          order by claimed_at limit ${limit} for update skip locked)`,
      )
      .returning({ id: question.id });
    return rows.length;
  });
}
