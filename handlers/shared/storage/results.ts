/**
 * Delivered results: one row each in `response_event`, the newest one answers.
 *
 * In: validated answers. Out: what was stored first, however often a message comes. Never here: scores, caches.
 */
import { desc, eq, sql } from "drizzle-orm";
import type { Validated } from "../../../schema/topics.ts";
import { question, responseEvent } from "../../../schema/tables.ts";
import type { Database, Queries } from "./database.ts";
import { storableJson, storableText } from "./storable.ts";

/** What an asker gets, from Postgres and from the cache alike. */
export interface Result {
  readonly id: string;
  readonly round: number;
  readonly title: string;
  readonly answer: string;
  readonly score: number;
  readonly rubric: Readonly<Record<string, number>>;
  readonly below_threshold: boolean;
  readonly model: string;
  readonly judge: string;
  readonly created_at: string;
}

/**
 * Stores one result and ends its question, in one transaction. A repeat changes nothing.
 * @returns the newest stored result of this question: what a cache should hold.
 */
export function storeResult(database: Database, value: Validated): Promise<Result | null> {
  return database.run("storing a result", (db) =>
    db.transaction(async (tx) => {
      const text = {
        title: storableText(value.title),
        content: storableText(value.content),
        best_answer: storableText(value.best_answer),
      };
      await tx
        .insert(responseEvent)
        .values({
          question_hash: value.id,
          round: value.round,
          ...text,
          answer: storableText(value.answer),
          score: value.score,
          rubric: storableJson(value.rubric),
          below_threshold: value.below_threshold,
          model: storableText(value.model),
          judge: storableText(value.judge ?? "unknown"),
          rubric_hash: value.rubric_hash === undefined ? null : storableText(value.rubric_hash),
          usage: value.usage === undefined ? null : storableJson({ ...value.usage }),
          attempts: value.attempts,
          deferrals: value.deferrals,
        })
        .onConflictDoNothing();
      const ended = {
        state: "done",
        state_at: sql`now()`,
        waiting_reason: null,
        waiting_until: null,
        reason: null,
        ended_at: sql`now()`,
      } as const;
      // A request that somebody wrote to the topic by hand has no claim: it gets its row here.
      await tx
        .insert(question)
        .values({ id: value.id, ...text, round: value.round, ...ended, published_at: sql`now()` })
        .onConflictDoUpdate({
          target: question.id,
          set: ended,
          setWhere: sql`${question.round} = ${value.round} and ${question.state} <> 'done'`,
        });
      return newest(tx, value.id);
    }),
  );
}

/** The newest result of a question, or null. */
export function findResult(database: Database, id: string): Promise<Result | null> {
  return database.run("looking for a result", (db) => newest(db, id));
}

async function newest(db: Pick<Queries, "select">, id: string): Promise<Result | null> {
  const [row] = await db
    .select()
    .from(responseEvent)
    .where(eq(responseEvent.question_hash, id))
    .orderBy(desc(responseEvent.round))
    .limit(1);
  if (!row) return null;
  return {
    id,
    round: row.round,
    title: row.title,
    answer: row.answer,
    score: row.score,
    rubric: row.rubric,
    below_threshold: row.below_threshold,
    model: row.model,
    judge: row.judge,
    created_at: row.created_at.toISOString(),
  };
}
