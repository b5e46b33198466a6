/**
 * `cauce schedule`: what waits, what is parked, what died, for people who would rather not write SQL.
 *
 * In: an address, a choice. Out: tables; the same that the views of the database say. Never here: a change.
 */
import type postgres from "postgres";
import { pause, systemClock, type Clock } from "../ground/clock.ts";
import { askDatabase } from "./ask-database.ts";
import { rowLines } from "./table.ts";

export interface ScheduleChoice {
  readonly topic?: string;
  readonly handler?: string;
  readonly key?: string;
  readonly reason?: string;
  /** Only what was written by hand and does not fit. */
  readonly parked?: boolean;
  /** Dead letters instead of what waits; `reason` is their cause then. */
  readonly dead?: boolean;
}

export interface ScheduleCommandOptions {
  readonly url: string;
  readonly schema: string;
  readonly app: string;
  readonly choice: ScheduleChoice;
  /** Rows of a list. Default 20. */
  readonly most?: number;
  /** Shows it anew every so many ms, until `signal`; `clear` comes before each. */
  readonly watch?: { readonly everyMs: number; readonly signal: AbortSignal; readonly clear: () => void };
  readonly write: (line: string) => void;
  readonly clock?: Clock;
}

/** Resolves with the exit code: 0, or 1 when the database could not be asked. */
export async function runSchedule(options: ScheduleCommandOptions): Promise<number> {
  const { url, schema, app, choice, most = 20, watch, write, clock = systemClock } = options;
  const isList = Object.values(choice).some((each) => each !== undefined && each !== false);
  return await askDatabase({ url, schema, program: "cauce schedule", write }, async (sql) => {
    for (;;) {
      const lines = isList
        ? await listLines(sql, { app, choice, most })
        : await overviewLines(sql, app, most);
      watch?.clear();
      for (const line of lines) write(line);
      if (watch === undefined) return 0;
      await pause(clock, watch.everyMs, watch.signal);
      if (watch.signal.aborted) return 0;
    }
  });
}

async function overviewLines(sql: postgres.Sql, app: string, most: number): Promise<readonly string[]> {
  const waiting = await sql`
    SELECT topic, reason, waiting, due, date_trunc('seconds', next_due_at - now()) AS next_in, most_attempts, most_deferrals
    FROM schedule_summary WHERE app = ${app} ORDER BY topic, reason`;
  const dead = await sql`
    SELECT handler, cause, resting, redriven, date_trunc('seconds', now() - last_at) AS last_ago
    FROM dead_letter_summary WHERE app = ${app} ORDER BY resting DESC, handler, cause LIMIT ${most}`;
  const first = await sql`
    SELECT id, topic, handler, key_text AS key, reason, attempts, deferrals, date_trunc('seconds', -late) AS due_in
    FROM schedule_oldest WHERE app = ${app} LIMIT ${most}`;
  return [
    ...section("What waits", waiting),
    "",
    ...(first.length > 0 ? [...section("Due first", first), ""] : []),
    ...section("Dead letters", dead),
  ];
}

interface List {
  readonly app: string;
  readonly choice: ScheduleChoice;
  readonly most: number;
}

async function listLines(sql: postgres.Sql, { app, choice, most }: List): Promise<readonly string[]> {
  const { topic = null, handler = null, key = null, reason = null, parked = false, dead = false } = choice;
  if (dead) {
    const letters = await sql`
      SELECT id, topic, handler, key_text AS key, cause, attempts, date_trunc('seconds', age) AS age, redriven_at IS NOT NULL AS redriven,
        error, value_text AS value
      FROM dead_letter
      WHERE app = ${app} AND (${topic}::text IS NULL OR topic = ${topic}) AND (${handler}::text IS NULL OR handler = ${handler})
        AND (${key}::text IS NULL OR key_text = ${key}) AND (${reason}::text IS NULL OR cause = ${reason})
      ORDER BY id DESC LIMIT ${most}`;
    return section("Dead letters, the latest first", letters);
  }
  const rows = await sql`
    SELECT id, topic, handler, key_text AS key, reason, attempts, deferrals, date_trunc('seconds', due_in) AS due_in, problem, error,
      value_text AS value
    FROM schedule
    -- Chosen first: the bytes of all that waits would be made readable to show a few.
    WHERE id IN (
      SELECT id FROM schedule
      WHERE app = ${app} AND (${topic}::text IS NULL OR topic = ${topic}) AND (${handler}::text IS NULL OR handler = ${handler})
      AND (${key}::text IS NULL OR key_text = ${key}) AND (${reason}::text IS NULL OR reason = ${reason})
        AND (NOT ${parked}::boolean OR problem IS NOT NULL)
      ORDER BY due_at, id LIMIT ${most}
    )
    ORDER BY due_at, id`;
  return section(parked ? "Parked: edit or cancel them with SQL" : "What waits, the next first", rows);
}

const CELL_WIDTH = 40;

function section(title: string, rows: postgres.RowList<postgres.Row[]>): readonly string[] {
  if (rows.length === 0) return [`${title}: nothing`];
  return [title, ...rowLines(rows, CELL_WIDTH)];
}
