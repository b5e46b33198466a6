/**
 * Where a question is.
 *
 * In: an id. Out: its state, since when, why and until when it waits, how it ended, and its result. Read only.
 */
import { eq, sql } from "drizzle-orm";
import { question, type QuestionState } from "../../../schema/tables.ts";
import type { Database } from "./database.ts";
import { findResult, type Result } from "./results.ts";

export interface QuestionStatus {
  readonly id: string;
  readonly title: string;
  readonly round: number;
  readonly state: QuestionState;
  /** ISO 8601. */
  readonly since: string;
  /** Only while it waits. */
  readonly waiting?: { readonly reason: string; readonly until: string };
  /** Only when it failed or was cancelled. */
  readonly reason?: string;
  /** The newest result, of this round or an earlier one. */
  readonly result?: Result;
}

/** Null for a question that nobody asked. */
export async function findStatus(database: Database, id: string): Promise<QuestionStatus | null> {
  // One after the other: what ends a question stores its result in the same transaction, so a question that is done has it.
  const row = await findRow(database, id);
  const result = await findResult(database, id);
  if (!row) {
    if (!result) return null;
    return { id, title: result.title, round: result.round, state: "done", since: result.created_at, result };
  }
  const { waiting_reason, waiting_until } = row;
  return {
    id,
    title: row.title,
    round: row.round,
    state: row.state,
    since: row.state_at.toISOString(),
    ...(row.state === "waiting" && waiting_until
      ? { waiting: { reason: waiting_reason ?? "", until: waiting_until.toISOString() } }
      : {}),
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(result ? { result } : {}),
  };
}

function findRow(database: Database, id: string) {
  return database.run("looking for a question", async (db) => {
    const [row] = await db.select().from(question).where(eq(question.id, id));
    return row ?? null;
  });
}

/** Counts by state, for metrics. */
export function countStates(database: Database): Promise<readonly { state: string; count: number }[]> {
  return database.run("counting questions", (db) =>
    db
      .select({ state: question.state, count: sql<number>`count(*)::int` })
      .from(question)
      .groupBy(question.state),
  );
}
