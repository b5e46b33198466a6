/**
 * Step rows as those who follow a question read them: in the order of their ids, from any id on. Read only.
 *
 * In: ids of questions, the id of the last row seen. Out: later rows. Rows become visible in the order of their ids
 * (steps.ts), so whoever has seen one has missed none before it. Hits are left out: they are not steps on a question's way.
 */
import { and, asc, gt, inArray, ne, sql } from "drizzle-orm";
import { question, questionStep } from "../../../schema/tables.ts";
import type { Database, Queries } from "./database.ts";
import { ENDED_STATES } from "./unpublished.ts";

export interface StepRow {
  /** Grows with every row of every question. */
  readonly row: bigint;
  readonly id: string;
  readonly round: number;
  readonly step: string;
  /** ISO 8601. */
  readonly at: string;
  readonly handler: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface LaterSteps {
  readonly steps: readonly StepRow[];
  /** Everything up to this row has been seen: where to go on. */
  readonly seen: bigint;
  /** There may be more before the newest row. */
  readonly more: boolean;
}

/** The newest row of all questions; 0 where there is none. */
export function newestStep(database: Database): Promise<bigint> {
  return database.run("looking for the newest step", newestRow);
}

/** Rows of any of these questions after a row, oldest first. */
export function stepsAfter(
  database: Database,
  { ids, after, limit }: { readonly ids: readonly string[]; readonly after: bigint; readonly limit: number },
): Promise<LaterSteps> {
  return database.run("looking for later steps", async (db) => {
    // Read first: what is committed between the two reads belongs to the next look.
    const newest = await newestRow(db);
    if (newest <= after) return { steps: [], seen: after, more: false };
    const rows = await db
      .select()
      .from(questionStep)
      .where(
        and(
          inArray(questionStep.question_hash, [...ids]),
          gt(questionStep.id, after),
          ne(questionStep.step, "hit"),
        ),
      )
      .orderBy(asc(questionStep.id))
      .limit(limit);
    const steps = rows.map((row): StepRow => {
      const { id, question_hash, round, step, at, handler, detail } = row;
      return { row: id, id: question_hash, round, step, at: at.toISOString(), handler, detail };
    });
    const more = rows.length === limit;
    const last = steps.at(-1)?.row ?? after;
    return { steps, seen: more || last > newest ? last : newest, more };
  });
}

/** Which of these questions have ended. */
export function endedAmong(database: Database, ids: readonly string[]): Promise<readonly string[]> {
  return database.run("looking for ended questions", async (db) => {
    const rows = await db
      .select({ id: question.id })
      .from(question)
      .where(and(inArray(question.id, [...ids]), inArray(question.state, ENDED_STATES)));
    return rows.map(({ id }) => id);
  });
}

async function newestRow(db: Queries): Promise<bigint> {
  const [row] = await db
    .select({ newest: sql<string>`coalesce(max(${questionStep.id}), 0)::text` })
    .from(questionStep);
  return BigInt(row?.newest ?? 0);
}
