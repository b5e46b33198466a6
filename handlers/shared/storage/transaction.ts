/**
 * A transaction that ends with its connection, and only there.
 *
 * postgres.js's own `begin` rolls back on a connection that is gone already: that write is never answered, or throws in
 * a callback that nobody can catch (porsager/postgres#1208, #1216). In: a client, and whether it lost a connection.
 * Out: `begin` for drizzle. Never here: savepoints; nobody uses them.
 */
import { Unavailable } from "cauce";
import type postgres from "postgres";

/** What drizzle uses of the client inside a transaction. */
type Session = Pick<postgres.Sql, "unsafe">;

export function carefulBegin(client: postgres.Sql, isLost: () => boolean) {
  return async <T>(work: (session: Session) => Promise<T>): Promise<T> => {
    const reserved = await client.reserve();
    const session: Session = {
      unsafe: ((...given: Parameters<postgres.Sql["unsafe"]>) => {
        // Whatever is sent after a close would run on a new connection, outside of the transaction.
        if (isLost()) throw new Unavailable("the connection was lost inside a transaction");
        return reserved.unsafe(...given);
      }) as postgres.Sql["unsafe"],
    };
    try {
      await session.unsafe("begin");
      const result = await work(session);
      await session.unsafe("commit");
      return result;
    } catch (thrown) {
      // The server rolls back by itself when a connection ends.
      if (!isLost()) await session.unsafe("rollback").catch(() => {});
      throw thrown;
    } finally {
      if (!isLost()) reserved.release();
    }
  };
}
