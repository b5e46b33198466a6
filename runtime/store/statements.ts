/**
 * The statements of this room with the schema's name filled in: one file of `sql/` each.
 *
 * In: the schema's name and the claim's limits. Out: texts with `$1…` for everything that comes from outside.
 */
// oxlint-disable-next-line typescript/triple-slash-reference -- a project that has Cauce as a package learns of .sql modules only so
/// <reference path="./sql.d.ts" />
import { CauceError } from "../ground/errors.ts";
import beginClaim from "./sql/begin-claim.sql" with { type: "text" };
import bury from "./sql/bury.sql" with { type: "text" };
import claim from "./sql/claim.sql" with { type: "text" };
import count from "./sql/count.sql" with { type: "text" };
import deletePublished from "./sql/delete-published.sql" with { type: "text" };
import fencedKeys from "./sql/fenced-keys.sql" with { type: "text" };
import fencesMoved from "./sql/fences-moved.sql" with { type: "text" };
import insert from "./sql/insert.sql" with { type: "text" };
import nextDue from "./sql/next-due.sql" with { type: "text" };
import park from "./sql/park.sql" with { type: "text" };
import passFence from "./sql/pass-fence.sql" with { type: "text" };
import purgeBudgets from "./sql/purge-budgets.sql" with { type: "text" };
import purgeKeys from "./sql/purge-keys.sql" with { type: "text" };
import releaseStuck from "./sql/release-stuck.sql" with { type: "text" };
import resume from "./sql/resume.sql" with { type: "text" };
import standAtFence from "./sql/stand-at-fence.sql" with { type: "text" };
import takeTurn from "./sql/take-turn.sql" with { type: "text" };
import takeTurns from "./sql/take-turns.sql" with { type: "text" };

export interface StatementOptions {
  readonly schema: string;
  readonly idleInTransactionMs: number;
  readonly statementTimeoutMs: number;
}

export type Statements = ReturnType<typeof statementsFor>;

export function statementsFor({ schema, idleInTransactionMs, statementTimeoutMs }: StatementOptions) {
  const fill = (text: string) =>
    fillIn(text, schema)
      .replaceAll("{idle_in_transaction_ms}", String(Math.round(idleInTransactionMs)))
      .replaceAll("{statement_timeout_ms}", String(Math.round(statementTimeoutMs)));
  return Object.freeze({
    beginClaim: fill(beginClaim),
    bury: fill(bury),
    claim: fill(claim),
    count: fill(count),
    deletePublished: fill(deletePublished),
    fencedKeys: fill(fencedKeys),
    fencesMoved: fill(fencesMoved),
    insert: fill(insert),
    nextDue: fill(nextDue),
    park: fill(park),
    passFence: fill(passFence),
    purgeBudgets: fill(purgeBudgets),
    purgeKeys: fill(purgeKeys),
    releaseStuck: fill(releaseStuck),
    resume: fill(resume),
    standAtFence: fill(standAtFence),
    takeTurn: fill(takeTurn),
    takeTurns: fill(takeTurns),
  });
}

/** Replaces `{schema}` and `{channel}`, in migrations too. */
export function fillIn(text: string, schema: string): string {
  return text.replaceAll("{schema}", `"${schema}"`).replaceAll("{channel}", `'${channelOf(schema)}'`);
}

/** The NOTIFY channel of a schema. Its payload is an app's name, or nothing for all of them. */
export function channelOf(schema: string): string {
  return `${schema}_due`;
}

/**
 * A schema's name goes into statements as it is, so it must be a plain one.
 * @throws CauceError `config_invalid`.
 */
export function checkedSchema(schema: string): string {
  if (/^[a-z_][a-z0-9_]{0,47}$/.test(schema) && !schema.startsWith("pg_")) return schema;
  throw new CauceError(
    "config_invalid",
    `"${schema}" is no schema name for Cauce: use up to 48 of a-z, 0-9 and _, not starting with a digit or pg_`,
  );
}

/** @throws CauceError `config_invalid`. */
export function checkedApp(app: string): string {
  if (app !== "" && app.length <= 200 && !app.includes("\0")) return app;
  throw new CauceError("config_invalid", `the app's name must have 1 to 200 characters, not ${app.length}`);
}
