/**
 * One pool of connections for the application's own tables.
 *
 * In: an address and limits. Out: `run`, through which every query goes: bounded in time, its errors classified.
 * Never here: the runtime's pool (drizzle changes the parsers of the client it is given, so they never share one).
 */
import { Unavailable } from "cauce";
import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { storageFailure } from "./failure.ts";
import { carefulBegin } from "./transaction.ts";

export type Queries = PostgresJsDatabase;

export interface Database {
  /**
   * Runs queries. `what` names them in errors.
   * @throws CauceError `unavailable` when the database is away or slower than the limit, `database` when it refused.
   */
  run<T>(what: string, queries: (db: Queries) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  /** Connections at most. Default 8. */
  readonly connections?: number;
  /** One call of `run` takes no longer, in ms. Default 5000. */
  readonly deadlineMs?: number;
}

const CLOSE_SECONDS = 2;
/** What still runs on a pool that was too slow once may end within this. */
const DRAIN_SECONDS = 5;

export function openDatabase({ url, connections = 8, deadlineMs = 5_000 }: DatabaseOptions): Database {
  const open = () => {
    const opened: Pool = openPool({ url, connections, deadlineMs }, () => replace(opened, 0));
    return opened;
  };
  let pool = open();
  let closed = false;

  /** After a restart of the server, postgres.js may go on writing to sockets that are gone: a new pool never does. */
  function replace(used: Pool, drainSeconds: number): void {
    if (used !== pool || closed) return;
    pool = open();
    void used.client.end({ timeout: drainSeconds }).catch(() => {});
  }

  return {
    async run(what, queries) {
      const used = pool;
      const { promise: late, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(() => {
        replace(used, DRAIN_SECONDS);
        reject(new Unavailable(`${what}: Postgres gave no answer within ${deadlineMs} ms`));
      }, deadlineMs);
      try {
        return await Promise.race([queries(used.db), late]);
      } catch (thrown) {
        throw storageFailure(what, thrown);
      } finally {
        clearTimeout(timer);
      }
    },
    async close() {
      closed = true;
      await pool.client.end({ timeout: CLOSE_SECONDS });
    },
  };
}

interface Pool {
  readonly client: postgres.Sql;
  readonly db: Queries;
}

function openPool({ url, connections, deadlineMs }: Required<DatabaseOptions>, onLost: () => void): Pool {
  let lost = false;
  const client = postgres(url, {
    max: connections,
    connect_timeout: Math.max(1, Math.ceil(deadlineMs / 1_000)),
    // Its query of array types, when it fails, rejects a promise that nobody holds.
    fetch_types: false,
    // Connections end only when something is wrong: then no transaction of this pool goes on.
    max_lifetime: null,
    // A pool that met a dead server must try again soon, not after postgres.js's growing pauses.
    backoff: () => 0.2,
    onnotice: () => {},
    onclose: () => {
      lost = true;
      onLost();
    },
    connection: { application_name: "cauce llm", statement_timeout: deadlineMs },
  });
  return { client, db: drizzle(Object.assign(client, { begin: carefulBegin(client, () => lost) })) };
}
