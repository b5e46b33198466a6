/**
 * A transaction on one line. In: a line, work. Out: what the work returned, committed; or its error, rolled back.
 * Never here: savepoints; nobody uses them.
 */
import { Unavailable } from "cauce";
import { databaseFailure } from "cauce/run";
import type postgres from "postgres";
import type { Line } from "./lines.ts";

/** What drizzle uses of the client inside a transaction. */
export type Session = Pick<postgres.Sql, "unsafe">;

export async function transact<T>(line: Line, work: (session: Session) => Promise<T>): Promise<T> {
  const unsafe = (...given: Parameters<postgres.Sql["unsafe"]>) => {
    // Whatever is sent after a close would run on a new connection, outside of the transaction.
    if (line.lost) throw new Unavailable("the connection was lost inside a transaction");
    return line.client.unsafe(...given);
  };
  const session: Session = { unsafe: unsafe as postgres.Sql["unsafe"] };
  try {
    await session.unsafe("begin");
    const result = await work(session);
    await session.unsafe("commit");
    return result;
  } catch (thrown) {
    // A server that is away rolls back by itself; the line is given up, for a rollback might never be answered.
    if (databaseFailure(thrown).code === "unavailable") line.lost = true;
    else await session.unsafe("rollback");
    throw thrown;
  }
}
