/**
 * `cauce redrive`: dead letters back to their handlers. First says what it would do, then does a few, then all at a rate.
 *
 * In: an address, which letters, how far to go. Out: lines, and letters that are due again. A stop leaves what was not sent as it
 * was. Never here: how a letter is sent again (the database's function redrive).
 */
import type postgres from "postgres";
import { pause, systemClock, type Clock } from "../ground/clock.ts";
import { askDatabase } from "./ask-database.ts";
import { rowLines } from "./table.ts";

export interface LetterChoice {
  readonly handler?: string;
  readonly cause?: string;
  readonly key?: string;
}

export type RedriveStep =
  | { readonly kind: "dry run" }
  /** So many, at once. */
  | { readonly kind: "canary"; readonly count: number }
  /** All that are meant, so many a second. */
  | { readonly kind: "all"; readonly perSecond: number };

export interface RedriveCommandOptions {
  readonly url: string;
  readonly schema: string;
  readonly app: string;
  readonly choice: LetterChoice;
  readonly step: RedriveStep;
  readonly signal: AbortSignal;
  readonly write: (line: string) => void;
  readonly clock?: Clock;
}

/** Resolves with the exit code: 0, or 1 when the database could not be asked. */
export async function runRedrive(options: RedriveCommandOptions): Promise<number> {
  const { url, schema, app, choice, step, write } = options;
  return await askDatabase({ url, schema, program: "cauce redrive", write }, async (sql) => {
    const letters = lettersOf(sql, app, choice);
    const resting = await letters.count();
    if (resting === 0) write("no dead letter that rests is meant: nothing to do");
    else if (step.kind === "dry run") await tell(letters, resting, write);
    else if (step.kind === "canary") {
      const sent = await letters.redrive(step.count, null);
      write(
        `${sent} of ${resting} dead letters are due again now; see what becomes of them before you send the rest`,
      );
    } else await redriveAll(letters, { ...options, perSecond: step.perSecond, resting });
    return 0;
  });
}

interface Letters {
  count(): Promise<number>;
  causes(): Promise<postgres.RowList<postgres.Row[]>>;
  redrive(most: number, perSecond: number | null): Promise<number>;
}

function lettersOf(sql: postgres.Sql, app: string, choice: LetterChoice): Letters {
  const { handler = null, cause = null, key = null } = choice;
  const move = async (most: number, perSecond: number | null, dryRun: boolean): Promise<number> => {
    const [row] = await sql<{ touched: string }[]>`
      SELECT redrive(${app}, handler => ${handler}, cause => ${cause}, key => ${key}, per_second => ${perSecond}::float8,
        most => ${most}::bigint, dry_run => ${dryRun}::boolean) AS touched`;
    return Number(row?.touched);
  };
  return {
    count: () => move(MOST_COUNTED, null, true),
    causes: async () =>
      await sql`
      SELECT handler, cause, count(*) AS letters, date_trunc('seconds', max(age)) AS oldest FROM dead_letter
      WHERE app = ${app} AND redriven_at IS NULL AND (${handler}::text IS NULL OR handler = ${handler})
        AND (${cause}::text IS NULL OR cause = ${cause}) AND (${key}::text IS NULL OR key_text = ${key})
      GROUP BY handler, cause ORDER BY letters DESC, handler, cause`,
    redrive: (most, perSecond) => move(most, perSecond, false),
  };
}

const MOST_COUNTED = 1_000_000_000;

async function tell(letters: Letters, resting: number, write: (line: string) => void): Promise<void> {
  for (const line of rowLines(await letters.causes(), 40)) write(line);
  write(`${resting} would be sent again, each under its old id and with no attempt spent; nothing was sent.`);
  write("A few first: --canary 5. Then all of them: --rate 10 sends 10 a second.");
}

interface All extends Pick<RedriveCommandOptions, "signal" | "write" | "clock"> {
  readonly perSecond: number;
  readonly resting: number;
}

/** A second's worth at a time, so that a stop leaves the rest at rest instead of in the schedule. */
async function redriveAll(
  letters: Letters,
  { perSecond, resting, signal, write, clock = systemClock }: All,
): Promise<void> {
  const batch = Math.max(1, Math.round(perSecond));
  let sent = 0;
  while (!signal.aborted) {
    const count = await letters.redrive(batch, perSecond);
    if (count === 0) break;
    sent += count;
    write(`${sent} of ${resting}`);
    if (count < batch) break;
    await pause(clock, (batch / perSecond) * 1_000, signal);
  }
  write(signal.aborted ? `stopped: ${sent} were sent, the others rest as before` : `${sent} were sent`);
}
