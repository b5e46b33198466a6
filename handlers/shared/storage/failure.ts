/**
 * What went wrong with the database: away (waiting helps, no attempt is spent) or refused (a defect or bad data).
 *
 * In: anything that a query threw. Out: a CauceError that names the operation, without statement and parameters.
 */
import { CauceError, Unavailable } from "cauce";
import { databaseFailure } from "cauce/run";

/** `Unavailable` when waiting can help, else a CauceError `database`. */
export function storageFailure(what: string, thrown: unknown): CauceError {
  if (thrown instanceof CauceError) return thrown;
  const { code, message } = databaseFailure(thrown);
  const words = `${what}: ${message}`;
  return code === "unavailable" ? new Unavailable(words) : new CauceError("database", words);
}
