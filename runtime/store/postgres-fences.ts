/**
 * Fences in Postgres: functions of the schema, each one statement.
 *
 * In: messages, places. Out: standings. The rules are in migrations/0002-fences.sql, so that whoever cancels a message by
 * SQL moves its fence on too. Never here: retries of a statement.
 */
import type { Run } from "./connection.ts";
import type { Fences, Place, Standing } from "./fences.ts";
import type { StoreLimits } from "./limits.ts";
import { standingColumns } from "./rows.ts";
import type { Statements } from "./statements.ts";
import type { ScheduledMessage } from "./message.ts";

export interface PostgresFencesOptions {
  readonly run: Run;
  readonly app: string;
  readonly statements: Statements;
  readonly limits: Pick<StoreLimits, "heldPerFence" | "releasedPerFence">;
  /** Hears of fences that were made elsewhere. */
  readonly onRaised: Fences["onRaised"];
}

export function postgresFences({ run, app, statements, limits, onRaised }: PostgresFencesOptions): Fences {
  async function stand(
    raising: boolean,
    messages: readonly ScheduledMessage[],
  ): Promise<readonly Standing[]> {
    const rows = await run<{ position: number; standing: Standing }>(statements.standAtFence, [
      String(raising),
      limits.heldPerFence,
      app,
      ...standingColumns(messages),
    ]);
    const standings = new Map(rows.map(({ position, standing }) => [position, standing]));
    return messages.map((_, position) => standings.get(position) ?? "known");
  }

  return {
    async raise(messages) {
      return (await stand(true, messages)) as readonly ("raised" | "held" | "known")[];
    },
    async hold(message) {
      const [standing = "known"] = await stand(false, [message]);
      return standing as "free" | "held" | "known" | "full";
    },
    async takeTurn({ fence, turn }) {
      const [row] = await run<{ standing: "free" | "held" | "known" | "gone" }>(statements.takeTurn, [
        fence,
        turn,
      ]);
      return row?.standing ?? "gone";
    },
    async pass({ fence, turn }: Place) {
      await run(statements.passFence, [fence, turn, limits.releasedPerFence]);
    },
    async keys(handler, most) {
      const rows = await run<{ key: Uint8Array }>(statements.fencedKeys, [app, handler, most + 1]);
      return rows.length > most ? null : rows.map(({ key }) => key);
    },
    onRaised,
  };
}
