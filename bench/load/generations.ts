/**
 * What a run cost in generations, as the database has it: the load generator's own view is not asked.
 *
 * In: the database's address. Out: counts. Never here: writing.
 */
import postgres from "postgres";

export interface Generations {
  /** Claims that were won, all rounds of all questions: each began with a new generation. */
  readonly rounds: number;
  readonly questions: number;
  /** Questions whose end is an answer. */
  readonly done: number;
  /** Answers that were generated for those, those that were regenerated included. */
  readonly attempts: number;
}

export async function readGenerations(databaseUrl: string): Promise<Generations> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const [row] = await sql<Generations[]>`
      select coalesce(sum(round), 0)::int as rounds, count(*)::int as questions,
             count(*) filter (where state = 'done')::int as done,
             (select coalesce(sum(attempts), 0)::int from response_event) as attempts
        from question`;
    return row ?? { rounds: 0, questions: 0, done: 0, attempts: 0 };
  } finally {
    await sql.end();
  }
}
