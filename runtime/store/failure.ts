/**
 * What went wrong with Postgres: away (waiting helps) or refused (someone must act).
 *
 * In: whatever a driver threw, from this room's client or from the application's own. Out: a `CauceError`.
 * Never here: passwords, parameters, row contents. Of Postgres's own error only the message and the code are repeated.
 */
import { CauceError, messageOf } from "../ground/errors.ts";

/**
 * Classifies an error of a Postgres driver.
 * @returns CauceError `unavailable` (retryable) when the server is away, full, starting, failing over or has cut the
 * session; else `database`. A `CauceError` is returned as it is.
 */
export function databaseFailure(error: unknown): CauceError {
  if (error instanceof CauceError) return error;
  const code = codeOf(error) ?? codeOf(causeOf(error));
  const away = code !== undefined && (AWAY_CODES.has(code) || AWAY_STATES.test(code));
  const words = withoutSecrets(messageOf(causeOf(error) ?? error)) || "no message";
  const suffix = code === undefined || words.includes(code) ? "" : ` (${code})`;
  return away
    ? new CauceError("unavailable", `Postgres is away: ${words}${suffix}`, { retryable: true, cause: error })
    : new CauceError("database", `Postgres refused: ${words}${suffix}`, { cause: error });
}

/**
 * Has this failure ended the session that met it? Nothing more may be sent on its connection. One that may only read (25006) is with
 * a server that was replaced, or was opened while it was: only a new session finds the one that takes rows.
 */
export function endsSession(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && (AWAY_CODES.has(code) || /^(?:08|57P0|25P0[34]|25006)/.test(code));
}

/** Failures of the connection, by the names that node, Bun and the client give them. */
const AWAY_CODES = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "EMFILE",
  "ENFILE",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
  "ERR_SOCKET_CLOSED",
]);

/**
 * SQLSTATEs after which the same statement may succeed: connection (08), serialisation and deadlock (40001, 40P01),
 * read-only while failing over (25006), idle in transaction cut (25P03), resources and disk full (53), locks not to be
 * had (55P03), cancelled by a timeout (57014), shut down, crashed, starting (57P0x), I/O error (58030).
 */
const AWAY_STATES = /^(?:08...|40001|40P01|25006|25P0[34]|53...|55P03|57014|57P0[1-5]|58030)$/;

function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Query builders wrap the driver's error in their own, with the statement in its message. */
function causeOf(error: unknown): unknown {
  return error instanceof Error && codeOf(error) === undefined ? error.cause : undefined;
}

/** A URL in a message loses its user and password. */
function withoutSecrets(words: string): string {
  return words.replaceAll(/(\w+:\/\/)[^\s/]*@/g, "$1");
}
