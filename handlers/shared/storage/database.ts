/**
 * One pool of connections for the application's own tables.
 *
 * In: an address and limits. Out: `run`, through which every query goes: bounded in time, its errors classified.
 * Never here: the runtime's pool (drizzle changes the parsers of the client it is given, so they never share one).
 */
import { Unavailable } from "cauce";
import { databaseFailure } from "cauce/run";
import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { storageFailure } from "./failure.ts";
import { openLines, type Line } from "./lines.ts";
import type { Statement } from "./statement.ts";
import { transact, type Session } from "./transaction.ts";

export type Queries = PostgresJsDatabase;

export interface Database {
  /**
   * Runs queries. `what` names them in errors.
   * @throws CauceError `unavailable` when the database is away or slower than the limit, `database` when it refused.
   */
  run<T>(what: string, queries: (db: Queries) => Promise<T>): Promise<T>;
  /** Runs a statement that was built before (statement.ts). Rows come with the names and types of the driver. */
  perform<Row, Values>(what: string, statement: Statement<Values>, values: Values): Promise<readonly Row[]>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  /** Connections at most, and calls of `run` at once; more wait. Default 8. */
  readonly connections?: number;
  /** One call of `run` takes no longer, in ms. Default 5000. */
  readonly deadlineMs?: number;
}

const CLOSE_SECONDS = 2;

export function openDatabase({ url, connections = 8, deadlineMs = 5_000 }: DatabaseOptions): Database {
  const lines = openLines((ended) => openClient({ url, deadlineMs, ended }), connections);

  async function use<T>(what: string, work: (line: Line) => Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    let line: Line | null = null;
    let expired = false;
    const giveBack = () => {
      if (line !== null) lines.giveBack(line);
      line = null;
    };
    const timer = setTimeout(() => {
      expired = true;
      // What it was asked is still on its way: nobody else may use it.
      if (line !== null) line.lost = true;
      giveBack();
      reject(new Unavailable(`${what}: Postgres gave no answer within ${deadlineMs} ms`));
    }, deadlineMs);
    const answer = async () => {
      const taken = await lines.take();
      line = taken;
      try {
        if (expired) return await late;
        return await work(taken);
      } catch (thrown) {
        if (databaseFailure(thrown).code === "unavailable" && !expired) taken.lost = true;
        throw thrown;
      } finally {
        giveBack();
      }
    };
    try {
      return await Promise.race([answer(), late]);
    } catch (thrown) {
      throw storageFailure(what, thrown);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    run: (what, queries) => use(what, (line) => queries(queriesOn(line))),
    perform: <Row, Values>(what: string, statement: Statement<Values>, values: Values) =>
      use(what, async ({ client }): Promise<readonly Row[]> => {
        // A pooler that keeps no prepared statements is told of in the address.
        const { prepare } = client.options;
        return [
          ...(await client.unsafe(statement.text, statement.bind(values), { prepare })),
        ] as unknown as Row[];
      }),
    close: () => lines.close(CLOSE_SECONDS),
  };
}

/** Made once a line: it costs as much as a query. */
const queriesByLine = new WeakMap<Line, Queries>();

function queriesOn(line: Line): Queries {
  const known = queriesByLine.get(line);
  if (known) return known;
  const begin = (work: (session: Session) => Promise<unknown>) => transact(line, work);
  const made = drizzle(Object.assign(line.client, { begin }));
  queriesByLine.set(line, made);
  return made;
}

function openClient(options: {
  readonly url: string;
  readonly deadlineMs: number;
  /** Its connection has ended. */
  readonly ended: () => void;
}): postgres.Sql {
  const { url, deadlineMs, ended } = options;
  return postgres(url, {
    max: 1,
    connect_timeout: Math.max(1, Math.ceil(deadlineMs / 1_000)),
    // Its query of array types, when it fails, rejects a promise that nobody holds.
    fetch_types: false,
    // Connections end only when something is wrong.
    max_lifetime: null,
    onnotice: () => {},
    onclose: ended,
    connection: { application_name: "cauce llm", statement_timeout: deadlineMs },
  });
}
