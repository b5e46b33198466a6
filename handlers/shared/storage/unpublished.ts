/**
 * Claims whose request is not, or no longer, with the broker.
 *
 * In: how old a claim must be, the embedded broker's generation. Out: claims for the caller to publish; two callers
 * never get the same one at once. Never here: publishing.
 */
import { and, asc, eq, inArray, isNull, notInArray, sql } from "drizzle-orm";
import { question, type QuestionState } from "../../../schema/tables.ts";
import { claimColumns, type Claim } from "./claims.ts";
import type { Database } from "./database.ts";

/** States that no question leaves by itself. */
export const ENDED_STATES: QuestionState[] = ["done", "failed", "cancelled"];

/** Takes claims that nobody has tried to publish for `olderThanMs`, oldest first, and notes the try. */
export function takeUnpublished(
  database: Database,
  { olderThanMs, limit }: { readonly olderThanMs: number; readonly limit: number },
): Promise<Claim[]> {
  return database.run("taking unpublished claims", (db) => {
    const due = db
      .select({ id: question.id })
      .from(question)
      .where(
        and(
          isNull(question.published_at),
          eq(question.state, "queued"),
          sql`${question.publish_tried_at} <= now() - make_interval(secs => ${olderThanMs / 1_000})`,
        ),
      )
      .orderBy(asc(question.publish_tried_at))
      .limit(limit)
      .for("update", { skipLocked: true });
    return db
      .update(question)
      .set({ publish_tried_at: sql`now()` })
      .where(inArray(question.id, due))
      .returning(claimColumns);
  });
}

/**
 * An embedded broker that started anew has nothing of what an older one held: open claims of any other generation
 * become unpublished ones, to be taken at once. Questions that wait in the schedule table stay: they are in Postgres.
 * @returns how many.
 */
export function reopenOtherGenerations(database: Database, generation: string): Promise<number> {
  return database.run("reopening claims of an older broker", async (db) => {
    const reopened = await db
      .update(question)
      .set({
        state: "queued",
        state_at: sql`now()`,
        published_at: null,
        publish_tried_at: sql`'-infinity'`,
        broker_generation: generation,
      })
      .where(
        and(
          notInArray(question.state, ENDED_STATES),
          sql`${question.broker_generation} is distinct from ${generation}`,
          sql`not exists (select from question_waiting where question_hash = ${question.id})`,
        ),
      )
      .returning({ id: question.id });
    return reopened.length;
  });
}
