/**
 * Brings the store's tables to this version: once, whoever comes first, any number of processes at a time.
 *
 * In: an address. Out: the versions that were applied now. A database that is newer than this code is left alone:
 * older processes go on while newer ones roll out. Never here: the application's own migrations.
 */
import type { Log } from "../ground/log.ts";
import { connections, type Run } from "./connection.ts";
import { STORE_LIMITS } from "./limits.ts";
import { MIGRATIONS } from "./migrations/index.ts";
import { fillIn } from "./statements.ts";

export interface MigrateOptions {
  /** A direct address: behind a pooler in transaction mode this works too, as the lock is the transaction's. */
  readonly url: string;
  /** A checked schema name. */
  readonly schema: string;
  readonly log: Log;
}

/** @throws CauceError `unavailable` or `database`. Nothing is half applied: all of it is one transaction. */
export async function migrate({ url, schema, log }: MigrateOptions): Promise<readonly number[]> {
  const { migrationTimeoutMs } = STORE_LIMITS;
  const connection = connections({
    url,
    max: 1,
    name: "cauce migrations",
    statementTimeoutMs: migrationTimeoutMs,
  });
  try {
    // A role that may not create tables can still start when there is nothing to do.
    if (missing(await present(connection.run, schema)).length === 0) return [];
    return await connection.transaction("BEGIN", async (run) => {
      await run("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [`cauce migrations of ${schema}`]);
      await run(journal(schema));
      const todo = missing(await present(run, schema));
      for (const { version, name, text } of todo) {
        await run(fillIn(text, schema));
        await run(`INSERT INTO "${schema}".migration (version, name) VALUES ($1, $2)`, [version, name]);
        log.info("the store's tables were migrated", { schema, version, name });
      }
      return todo.map(({ version }) => version);
    });
  } finally {
    await connection.close().catch(() => undefined);
  }
}

function missing(done: ReadonlySet<number>) {
  return MIGRATIONS.filter(({ version }) => !done.has(version));
}

async function present(run: Run, schema: string): Promise<ReadonlySet<number>> {
  const [found] = await run<{ there: boolean }>("SELECT to_regclass($1) IS NOT NULL AS there", [
    `"${schema}".migration`,
  ]);
  if (!found?.there) return new Set();
  const rows = await run<{ version: number }>(`SELECT version FROM "${schema}".migration`);
  return new Set(rows.map(({ version }) => version));
}

function journal(schema: string): string {
  return `
    CREATE SCHEMA IF NOT EXISTS "${schema}";
    CREATE TABLE IF NOT EXISTS "${schema}".migration (
      version integer PRIMARY KEY,
      name text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON SCHEMA "${schema}" IS 'Cauce: messages that wait, dead letters.';
    COMMENT ON TABLE "${schema}".migration IS 'Versions of this schema that were applied.';
    COMMENT ON COLUMN "${schema}".migration.version IS 'Number of the migration.';
    COMMENT ON COLUMN "${schema}".migration.name IS 'What it was about.';
    COMMENT ON COLUMN "${schema}".migration.applied_at IS 'When it was applied.';
  `;
}
