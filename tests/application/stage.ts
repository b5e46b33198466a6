/**
 * A database with the application's tables, for one test file, and things that the tests compare with.
 */
import { createRepository, type Repository } from "../../handlers/shared/storage/repository.ts";
import { openDatabase, type Database } from "../../handlers/shared/storage/database.ts";
import { migrateTables } from "../../handlers/shared/storage/migrate.ts";
import { createViews } from "../../handlers/shared/storage/views.ts";
import type { Validated } from "../../schema/topics.ts";
import postgres from "postgres";
import { createDatabase } from "../services/postgres.ts";

export interface Stage {
  readonly url: string;
  readonly database: Database;
  readonly repository: Repository;
  /** Plain SQL, as a person would ask. */
  readonly sql: postgres.Sql;
  close(): Promise<void>;
}

export async function openStage(label: string): Promise<Stage> {
  const url = await createDatabase(label);
  await migrateTables(url);
  const database = openDatabase({ url });
  await createViews(database);
  const sql = postgres(url, { max: 2, onnotice: () => undefined });
  return {
    url,
    database,
    repository: createRepository(database),
    sql,
    async close() {
      await Promise.all([database.close(), sql.end()]);
    },
  };
}

let made = 0;

/** A question that nobody has asked yet. */
export function newQuestion(changes: { readonly best_answer?: string } = {}) {
  const number = (++made).toString(16).padStart(32, "0");
  return { id: number, title: `Question ${made}?`, content: "", best_answer: "yes", ...changes };
}

export function resultFor(id: string, changes: Partial<Validated> = {}): Validated {
  return {
    id,
    title: "Question?",
    content: "",
    best_answer: "yes",
    attempts: 1,
    round: 1,
    deferrals: 0,
    answer: "Yes.",
    model: "told-1",
    usage: { total_tokens: 3 },
    score: 8.5,
    rubric: { accuracy: 9, completeness: 8, clarity: 8, conciseness: 9, usefulness: 8 },
    below_threshold: false,
    judge: "told",
    ...changes,
  };
}
