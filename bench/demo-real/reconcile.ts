/**
 * The books at the end: every question that was asked is answered once or failed, none twice, none lost.
 *
 * In: ids that were asked, rows of the database. Out: counts, and every id that is not as it must be. `readBooks` alone
 * touches the database. Never here: the load generator's own view; the two must agree without knowing of each other.
 */
import postgres from "postgres";

export interface Books {
  /** One entry a row of `response_event`. */
  readonly answered: readonly string[];
  /** Questions in state `failed`. */
  readonly failed: readonly string[];
  /** Questions in any other state that is no end. */
  readonly open: readonly string[];
  /** Steps by name, as the journal saw them. */
  readonly steps: Readonly<Record<string, number>>;
}

export interface Reconciliation {
  readonly asked: number;
  readonly answered: number;
  readonly failed: number;
  /** Neither answered nor failed. Must be empty, as the next three. */
  readonly missing: readonly string[];
  readonly twice: readonly string[];
  /** Answered and failed. */
  readonly both: readonly string[];
  /** Answered or failed, and nobody asked. */
  readonly unasked: readonly string[];
  readonly balances: boolean;
}

export function reconcile(asked: readonly string[], books: Books): Reconciliation {
  const wanted = new Set(asked);
  const answered = new Set(books.answered);
  const failed = new Set(books.failed);
  const missing = [...wanted].filter((id) => !answered.has(id) && !failed.has(id));
  const seen = new Set<string>();
  const twice = books.answered.filter((id) => seen.size === seen.add(id).size);
  const both = [...failed].filter((id) => answered.has(id));
  const unasked = [...new Set([...answered, ...failed])].filter((id) => !wanted.has(id));
  return {
    asked: wanted.size,
    answered: answered.size,
    failed: failed.size,
    missing,
    twice,
    both,
    unasked,
    balances: [missing, twice, both, unasked, books.open].every((ids) => ids.length === 0),
  };
}

export async function readBooks(databaseUrl: string): Promise<Books> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const answered = await sql<{ id: string }[]>`select question_hash as id from response_event`;
    const ended = await sql<
      { id: string; state: string }[]
    >`select id, state from question where state <> 'done'`;
    const steps = await sql<{ name: string; count: number }[]>`
      select case step when 'waiting' then 'waited: ' || coalesce(detail ->> 'reason', '') else step end as name,
             count(*)::int as count
        from question_step group by 1 order by 2 desc`;
    return {
      answered: answered.map(({ id }) => id),
      failed: ended.filter(({ state }) => state === "failed").map(({ id }) => id),
      open: ended.filter(({ state }) => state !== "failed").map(({ id }) => id),
      steps: Object.fromEntries(steps.map(({ name, count }) => [name, count])),
    };
  } finally {
    await sql.end();
  }
}

/** The reconciliation for people. */
export function describe(result: Reconciliation, books: Books): string {
  const bad = (name: string, ids: readonly string[]) =>
    `  ${name.padEnd(34)} ${String(ids.length).padStart(6)}${ids.length === 0 ? "" : `   ${ids.slice(0, 5).join(" ")}`}\n`;
  const good = (name: string, count: number) => `  ${name.padEnd(34)} ${String(count).padStart(6)}\n`;
  return [
    "\nReconciliation\n",
    good("different questions asked", result.asked),
    good("in response_event", result.answered),
    good("failed, with a reason", result.failed),
    bad("neither (lost)", result.missing),
    bad("in response_event twice", result.twice),
    bad("both answered and failed", result.both),
    bad("answered or failed, never asked", result.unasked),
    bad("still on their way", books.open),
    "\nWhat happened on the way (steps seen; a killed process takes its last ones with it)\n",
    ...Object.entries(books.steps).map(([name, count]) => good(name, count)),
    result.balances ? "\nThe books balance: none lost, none twice.\n" : "\nTHE BOOKS DO NOT BALANCE.\n",
  ].join("");
}
