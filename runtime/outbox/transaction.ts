/**
 * How a statement is run in somebody else's transaction, told by the transaction's shape: no driver is imported here.
 *
 * In: a transaction of postgres.js or drizzle. Out: a call that runs one statement in it. Never here: begin, commit, rollback.
 */
import type { BuilderTransaction, DriverTransaction, Transaction } from "../application/outbox.ts";
import { CauceError } from "../ground/errors.ts";

export type RunStatement = (text: string, parameters: (string | null)[]) => PromiseLike<unknown>;

/** @throws CauceError `config_invalid` for what is no transaction: nothing would tie a message to anybody's commit. */
export function statementIn(transaction: Transaction): RunStatement {
  if (isDriver(transaction)) return (text, parameters) => transaction.unsafe(text, parameters);
  if (isBuilder(transaction))
    return (text, parameters) => builderOf(transaction).execute(prepared(text, parameters));
  throw new CauceError(
    "config_invalid",
    "the outbox needs a transaction: what `sql.begin` of postgres.js or `db.transaction` of drizzle hands to its function",
  );
}

function isDriver(given: Transaction): given is DriverTransaction {
  return "unsafe" in given && typeof given.unsafe === "function" && "savepoint" in given;
}

function isBuilder(given: Transaction): given is BuilderTransaction {
  return "execute" in given && typeof given.execute === "function" && "rollback" in given;
}

/** As drizzle's `execute` sees a statement: something that gives a query, which gives its text and parameters. */
interface Prepared {
  getSQL(): { toQuery(): { readonly sql: string; readonly params: readonly (string | null)[] } };
}

function prepared(sql: string, params: readonly (string | null)[]): Prepared {
  return { getSQL: () => ({ toQuery: () => ({ sql, params }) }) };
}

/** Its types ask for drizzle's own class there; what it calls on it is no more than this. */
function builderOf(transaction: BuilderTransaction): { execute(statement: Prepared): PromiseLike<unknown> } {
  return transaction as never;
}
