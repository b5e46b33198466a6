/**
 * `question_waiting`: what waits in the runtime's schedule, told in the application's words, for plain `psql`.
 *
 * In: the runtime's view `schedule`, where it exists already. Out: a view that always exists; empty until then.
 * It belongs to no migration, since it stands on a view whose owner migrates on his own.
 */
import { sql } from "drizzle-orm";
import type { Database } from "./database.ts";

const COLUMNS = `question_hash, title, topic, reason, attempt, deferrals, round, due_at, due_in`;

/** A number of the value, whatever a person may have written there. */
const numberIn = (field: string) =>
  `case when jsonb_typeof(value_json -> '${field}') = 'number' then (value_json ->> '${field}')::numeric end`;

/** Attempt: the one that it waits for, counted from 1. */
const waitingIn = (schema: string) => `
  select coalesce(value_json ->> 'id', '')      as question_hash,
         coalesce(value_json ->> 'title', '')   as title,
         topic::text                            as topic,
         reason::text                           as reason,
         coalesce(${numberIn("attempts")}, 0) + 1 as attempt,
         coalesce(${numberIn("deferrals")}, 0)  as deferrals,
         coalesce(${numberIn("round")}, 1)      as round,
         due_at::timestamptz                    as due_at,
         due_in::interval                       as due_in
    from "${schema.replaceAll('"', '""')}".schedule
   where app = 'llm' and topic like 'llm.%'`;

const NOTHING = `
  select ''::text, ''::text, ''::text, ''::text, 0::numeric, 0::numeric, 0::numeric, now()::timestamptz, '0'::interval where false`;

/** @returns whether the runtime's schedule was there. */
export function createViews(database: Database, runtimeSchema = "cauce"): Promise<boolean> {
  return database.run("making the view question_waiting", (db) =>
    db.transaction(async (tx) => {
      await tx.execute(sql`select pg_advisory_xact_lock(7165414204)`);
      const [found] = await tx.execute<{ there: boolean }>(
        sql`select to_regclass(format('%I.schedule', ${runtimeSchema}::text)) is not null as there`,
      );
      const there = found?.there === true;
      const body = there ? waitingIn(runtimeSchema) : NOTHING;
      const known = await tx.execute(sql`select 1 from pg_views where viewname = 'question_waiting'
        and schemaname = current_schema()`);
      if (there || known.length === 0) {
        await tx.execute(sql.raw(`create or replace view question_waiting (${COLUMNS}) as ${body}`));
      }
      return there;
    }),
  );
}
