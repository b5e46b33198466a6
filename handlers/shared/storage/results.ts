/**
 * Delivered results: one row each in `response_event`, the newest one answers.
 *
 * In: validated answers. Out: what was stored first, however often a message comes. Never here: scores, caches.
 */
import { desc, eq, sql } from "drizzle-orm";
import type { Validated } from "../../../schema/topics.ts";
import { question, responseEvent } from "../../../schema/tables.ts";
import type { Database, Queries } from "./database.ts";
import { statement } from "./statement.ts";
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

/** The newest result of each of these questions, in their order; null for one that has none. */
export async function findResults(
  database: Database,
  ids: readonly string[],
): Promise<readonly (Result | null)[]> {
  const wanted = [...new Set(ids)];
  const rows = await database.perform<FoundRow, { ids: string }>("looking for a result", NEWEST, {
    ids: wanted.join(","),
  });
  const byId = new Map(
    rows.map(({ question_hash, ...row }) => [question_hash, resultOf(question_hash, row)]),
  );
  return ids.map((id) => byId.get(id) ?? null);
}

/** The newest result of a question, or null. */
export async function findResult(database: Database, id: string): Promise<Result | null> {
  return (await findResults(database, [id]))[0] ?? null;
}

/** What of a row an asker gets; the time as the driver gives it. */
type ResultRow = Omit<Result, "id" | "created_at"> & { readonly created_at: string | Date };

const resultColumns = {
  round: responseEvent.round,
  title: responseEvent.title,
  answer: responseEvent.answer,
  score: responseEvent.score,
  rubric: responseEvent.rubric,
  below_threshold: responseEvent.below_threshold,
  model: responseEvent.model,
  judge: responseEvent.judge,
  created_at: responseEvent.created_at,
};

/** The driver names columns as the table does. */
type FoundRow = ResultRow & { readonly question_hash: string };

/** Ids are hex digits, so a comma parts them. */
const NEWEST = statement<{ ids: string }>((db) =>
  db
    .selectDistinctOn([responseEvent.question_hash], {
      question_hash: responseEvent.question_hash,
      ...resultColumns,
    })
    .from(responseEvent)
    .where(sql`${responseEvent.question_hash} = any(string_to_array(${sql.placeholder("ids")}, ','))`)
    .orderBy(responseEvent.question_hash, desc(responseEvent.round)),
);

async function newest(db: Pick<Queries, "select">, id: string): Promise<Result | null> {
  const [row] = await db
    .select(resultColumns)
    .from(responseEvent)
    .where(eq(responseEvent.question_hash, id))
    .orderBy(desc(responseEvent.round))
    .limit(1);
  return row ? resultOf(id, row) : null;
}

function resultOf(id: string, { created_at, ...row }: ResultRow): Result {
  return { id, ...row, created_at: new Date(created_at).toISOString() };
}
