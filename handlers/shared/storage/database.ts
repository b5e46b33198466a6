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

export function openDatabase({ url, connections = 8, deadlineMs = 5_000 }: DatabaseOptions): Database {
  const client = postgres(url, {
    max: connections,
    connect_timeout: Math.max(1, Math.ceil(deadlineMs / 1_000)),
    idle_timeout: 60,
    // A pool that met a dead server must try again soon, not after postgres.js's growing pauses.
    backoff: () => 0.2,
    onnotice: () => {},
    connection: { application_name: "cauce llm", statement_timeout: deadlineMs },
  });
  const db = drizzle(client);
  return {
    async run(what, queries) {
      const { promise: late, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(
        () => reject(new Unavailable(`${what}: Postgres gave no answer within ${deadlineMs} ms`)),
        deadlineMs,
      );
      try {
        return await Promise.race([queries(db), late]);
      } catch (thrown) {
        throw storageFailure(what, thrown);
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => client.end({ timeout: CLOSE_SECONDS }),
  };
}
