/**
 * The clock's door alone, as a process: a store, a scheduler, and the line that it writes for each record is its topic.
 *
 * In: the work as JSON in its first argument. Out: `ready`, then `fired ID DUE_MS NOW_MS` a record, both by the database's clock; DUE_MS is 0
 * for a row that somebody else has published meanwhile.
 * Ends on SIGTERM, and at once when its parent is gone. Never here: judging.
 */
import { writeSync } from "node:fs";
import { armFailpoints, type Failpoint } from "cauce/testing";
import postgres from "postgres";
import { startScheduler } from "../../runtime/scheduler/scheduler.ts";
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import type { StoreLimits } from "../../runtime/store/limits.ts";
import type { OutgoingRecord } from "../../runtime/bus/bus.ts";

export interface ClockWork {
  readonly url: string;
  readonly app: string;
  readonly topic: string;
  readonly batch?: number;
  readonly limits?: Partial<StoreLimits>;
  /** Asks the database nothing of its own: for rates. DUE_MS and NOW_MS are 0. */
  readonly bare?: boolean;
  /** Stops itself (SIGSTOP) at this failpoint, the first time that it comes there, having said `frozen`. */
  readonly freezeAt?: Failpoint;
}

const RECHECK_MS = 1_000;

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? "") as ClockWork);

async function main({
  url,
  app,
  topic,
  batch = 50,
  limits = {},
  bare = false,
  freezeAt,
}: ClockWork): Promise<void> {
  process.stdin.on("end", () => process.exit(1)).resume();
  const store = await createPostgresStore({ url, app, limits });
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  if (freezeAt !== undefined) freezeOnce(freezeAt);
  const publish = async (records: readonly OutgoingRecord[]) => {
    // Asked before it is written: what is early by this was early.
    const ids = records.map(
      ({ value }) => (JSON.parse(new TextDecoder().decode(value ?? undefined)) as { id: string }).id,
    );
    if (bare) return say(ids.map((id) => `fired ${id} 0 0`).join("\n"));
    const rows = await sql<{ id: string; due_ms: number; now_ms: number }[]>`
      SELECT given.id, coalesce(extract(epoch FROM due_at), 0)::float8 * 1000 AS due_ms,
        extract(epoch FROM clock_timestamp())::float8 * 1000 AS now_ms
      FROM unnest(${ids}::text[]) AS given(id)
      LEFT JOIN cauce.scheduled ON app = ${app} AND message_id = given.id`;
    for (const row of rows) say(`fired ${row.id} ${row.due_ms} ${row.now_ms}`);
  };
  const scheduler = startScheduler({ store, topics: [topic], publish, batch, recheckMs: RECHECK_MS });
  process.once("SIGTERM", () => {
    void (async () => {
      await scheduler.stop(1_000);
      await Promise.all([store.close(), sql.end({ timeout: 1 })]);
      process.exit(0);
    })();
  });
  say("ready");
}

function freezeOnce(point: Failpoint): void {
  const end = armFailpoints((visited) => {
    if (visited !== point) return;
    end();
    say("frozen");
    process.kill(process.pid, "SIGSTOP");
  });
}

/** At once: what is said before a stop must be out. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}
