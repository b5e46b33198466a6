/**
 * Connections to Postgres that neither hang nor take the process with them.
 *
 * In: statements. Out: rows, or `CauceError` (`unavailable`, `database`, `closed`), each within a deadline that is ours:
 * a black-holed server answers no timeout of its own. Never here: tables.
 */
import postgres from "postgres";
import { systemClock, type Clock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import { oneAtATime } from "../ground/one-at-a-time.ts";
import { within } from "./deadline.ts";
import { databaseFailure, endsSession } from "./failure.ts";
import { STORE_LIMITS } from "./limits.ts";

/** A parameter; columns of a batch are array literals, see columns.ts. */
export type Parameter = string | number | Uint8Array | null;
export type Run = <Row>(text: string, parameters?: readonly Parameter[]) => Promise<readonly Row[]>;

export interface ConnectionsOptions {
  readonly url: string;
  readonly max: number;
  /** Shown in `pg_stat_activity`. */
  readonly name: string;
  readonly clock?: Clock;
  readonly statementTimeoutMs?: number;
  readonly notified?: (channel: string, payload: string) => void;
  /** A connection has ended, for whatever reason. */
  readonly ended?: () => void;
}

export interface Connections {
  /** Host, port and database, without user and password. */
  readonly description: string;
  /** Did the last statement reach the server? */
  readonly connected: boolean;
  /** Runs one statement. Without parameters the text may hold several, and the rows of the last come back. */
  readonly run: Run;
  /**
   * One transaction, on a `max: 1` connection, one at a time. `begin` opens it, and its rows go to `work`. When the connection is lost
   * meanwhile, every further statement is refused: none ever runs outside the transaction it was meant for.
   */
  transaction<Result>(
    begin: string,
    work: (run: Run, begun: readonly unknown[]) => Promise<Result>,
  ): Promise<Result>;
  /** Cuts all connections; the next statement opens new ones. */
  reset(): void;
  close(): Promise<void>;
}

/** @throws CauceError `config_invalid` for an address that cannot be read. Nothing is connected yet. */
export function connections(options: ConnectionsOptions): Connections {
  const { max, clock = systemClock, statementTimeoutMs = STORE_LIMITS.statementTimeoutMs } = options;
  /** Grows when a connection ends or is cut: what began before may not go on. */
  let generation = 0;
  let connected = false;
  let closed = false;
  let client = open();
  const inTurn = oneAtATime();

  function open(): postgres.Sql {
    const opened = openClient(options, () => {
      if (opened !== client) return;
      generation++;
      options.ended?.();
    });
    return opened;
  }

  function reset(): void {
    replaceClient(0);
  }

  /** Nobody waits for the end of the old one: its socket may be black-holed. */
  function replaceClient(drainS: number): void {
    const old = client;
    generation++;
    client = open();
    void old.end({ timeout: drainS }).catch(() => undefined);
  }

  const run: Run = async <Row>(text: string, parameters: readonly Parameter[] = []) => {
    if (closed) throw new CauceError("closed", "the connection to Postgres is closed");
    const used = client;
    const expired = () => {
      if (used === client && !closed) replaceClient(0);
      return away(`no answer within ${statementTimeoutMs} ms`);
    };
    try {
      const answer = rowsOf<Row>(used, text, parameters);
      const rows = await within(answer, { clock, deadlineMs: statementTimeoutMs, expired });
      connected = true;
      return rows;
    } catch (error) {
      const failure = databaseFailure(error);
      connected = failure.code !== "unavailable";
      // What the client sends between a socket's error and its close is never answered: nothing may go there any more.
      if (endsSession(error) && used === client && !closed) replaceClient(DRAIN_WITHIN_S);
      throw closed ? new CauceError("closed", "the connection to Postgres is closed") : failure;
    }
  };

  async function transact<Result>(
    begin: string,
    work: (run: Run, begun: readonly unknown[]) => Promise<Result>,
  ): Promise<Result> {
    const begun = await run<unknown>(begin).catch(async (error: unknown) => {
      // It may have opened the transaction and failed at a setting.
      if (connected) await run("ROLLBACK").catch(reset);
      throw error;
    });
    const at = generation;
    const same = () => at === generation;
    // The client would otherwise run the statement on a new connection, outside the transaction. (Its own `begin` writes
    // to the socket that is gone, in a callback that nobody can catch: that ends the process.)
    const inside: Run = (text, parameters) =>
      same() ? run(text, parameters) : Promise.reject(away("the connection was lost inside a transaction"));
    try {
      const result = await work(inside, begun);
      await inside("COMMIT");
      return result;
    } catch (error) {
      if (same() && !closed) await run("ROLLBACK").catch(reset);
      throw error;
    }
  }

  return {
    description: describe(client),
    get connected() {
      return connected && !closed;
    },
    run,
    transaction(begin, work) {
      if (max !== 1) throw new CauceError("defect", "a transaction needs a connection of its own (max: 1)");
      return inTurn(() => transact(begin, work));
    },
    reset,
    async close() {
      closed = true;
      await client.end({ timeout: CLOSE_WITHIN_S });
    },
  };
}

/** As the client has it, but by the engine's own hex, which costs a claimed row less. */
const BYTEA = {
  to: 17,
  from: [17],
  serialize: (bytes: Uint8Array) => `\\x${bytes.toHex()}`,
  parse: (text: string) => Uint8Array.fromHex(text.slice(2)),
};

/** What is still running when the connections are closed may end within this. */
const CLOSE_WITHIN_S = 2;
/** Statements on the other connections of a client that is replaced may end within this. */
const DRAIN_WITHIN_S = 5;

function openClient(options: ConnectionsOptions, onEnded: () => void): postgres.Sql {
  try {
    return postgres(options.url, {
      max: options.max,
      connect_timeout: STORE_LIMITS.connectTimeoutMs / 1_000,
      // The client's own lifetime limit would cut a transaction that is waiting for Kafka.
      ...(options.max === 1 ? { max_lifetime: null } : {}),
      fetch_types: false,
      types: { bytea: BYTEA },
      backoff: (tries) => Math.min(0.05 * 2 ** tries, 1),
      connection: { application_name: options.name },
      onnotice: () => undefined,
      onclose: onEnded,
      ...(options.notified ? { onnotify: options.notified } : {}),
    });
  } catch {
    // The driver's own message would repeat the address, password included.
    throw new CauceError(
      "config_invalid",
      "the database's address cannot be read: expected postgres://user:password@host:5432/database " +
        "(characters such as @ : / # in the password are written as %40 %3A %2F %23)",
    );
  }
}

async function rowsOf<Row>(
  client: postgres.Sql,
  text: string,
  parameters: readonly Parameter[],
): Promise<readonly Row[]> {
  if (parameters.length === 0) {
    // Of several statements with rows the client gives a list of lists.
    const rows: readonly (Row | readonly Row[])[] = await client.unsafe<Row[]>(text);
    const last = rows.at(-1);
    return Array.isArray(last) ? last : (rows as readonly Row[]);
  }
  return client.unsafe<Row[]>(text, [...parameters], { prepare: client.options.prepare });
}

function describe(client: postgres.Sql): string {
  const { host, port, database, path } = client.options;
  return `Postgres at ${path || `${host.join(",")}:${port.join(",")}`}/${database}`;
}

function away(words: string): CauceError {
  return new CauceError("unavailable", `Postgres is away: ${words}`, { retryable: true });
}
