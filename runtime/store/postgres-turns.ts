/**
 * Turns in Postgres: one function of the schema, one statement a call.
 *
 * In: who wants a turn. Out: answers in the same order. The rules are in migrations/0009-budgets.sql.
 */
import { numberColumn } from "./columns.ts";
import type { Run } from "./connection.ts";
import type { Statements } from "./statements.ts";
import type { TurnAnswer, Turns } from "./turns.ts";

interface Row {
  readonly place: number;
  readonly granted: boolean;
  readonly wait_ms: number;
  readonly ticket: string | null;
}

export function postgresTurns(options: {
  readonly run: Run;
  readonly app: string;
  readonly statements: Statements;
}): Turns {
  const { run, app, statements } = options;
  return {
    async take({ budget, process, limits, wanted, ...news }) {
      const rows = await run<Row>(statements.takeTurns, [
        app,
        budget,
        process,
        limits.perMinute ?? null,
        limits.tokensPerMinute ?? null,
        limits.inFlight ?? null,
        news.running,
        news.requests,
        news.tokens,
        String(news.refused),
        news.pauseMs,
        news.turnMs,
        numberColumn(wanted.map(({ ticket }) => ticket)),
        numberColumn(wanted.map(({ tokens }) => tokens)),
      ]);
      const answers = new Map<number, TurnAnswer>(
        rows.map(({ place, granted, wait_ms, ticket }) => [
          place,
          { granted, waitMs: wait_ms, ticket: ticket === null ? null : Number(ticket) },
        ]),
      );
      return wanted.map((_, at) => answers.get(at + 1) ?? NOT_ANSWERED);
    },
  };
}

/** A function that was changed by hand: whoever asks goes on, unlimited. */
const NOT_ANSWERED: TurnAnswer = { granted: true, waitMs: 0, ticket: null };
