/**
 * Questions whose message died, read from the runtime's dead letters.
 *
 * In: the last row that was seen. Out: id, round and reason of later ones that carry a readable question. Read only.
 */
import { sql } from "drizzle-orm";
import type { Database } from "./database.ts";

export interface DeadQuestion {
  readonly id: string;
  readonly round: number;
  readonly reason: string;
}

export interface DeadLetters {
  readonly letters: readonly DeadQuestion[];
  /** Where to go on. */
  readonly lastRow: bigint;
  /** There may be more. */
  readonly full: boolean;
}

interface Row extends Record<string, unknown> {
  readonly row: string;
  readonly handler: string;
  readonly cause: string;
  readonly error: string;
  readonly value: Uint8Array | null;
}

const utf8 = new TextDecoder();

export function deadLettersAfter(
  database: Database,
  options: { readonly row: bigint; readonly limit: number; readonly runtimeSchema: string },
): Promise<DeadLetters> {
  const { row, limit, runtimeSchema } = options;
  const table = sql`${sql.identifier(runtimeSchema)}.dead_letters`;
  return database.run("reading dead letters", async (db) => {
    const [found] = await db.execute<{ there: boolean }>(
      sql`select to_regclass(format('%I.dead_letters', ${runtimeSchema}::text)) is not null as there`,
    );
    if (found?.there !== true) return { letters: [], lastRow: row, full: false };
    const rows = await db.execute<Row>(sql`
      select id::text as row, handler, cause, error, value from ${table}
       where id > ${String(row)}::bigint and app = 'llm' and topic like 'llm.%' order by id limit ${limit}`);
    return {
      letters: rows.flatMap((letter) => questionIn(letter)),
      lastRow: BigInt(rows.at(-1)?.row ?? row),
      full: rows.length === limit,
    };
  });
}

function questionIn({ handler, cause, error, value }: Row): DeadQuestion[] {
  if (value === null) return [];
  let decoded: unknown;
  try {
    decoded = JSON.parse(utf8.decode(value));
  } catch {
    return [];
  }
  if (typeof decoded !== "object" || decoded === null) return [];
  const { id, round = 1 } = decoded as { readonly id?: unknown; readonly round?: unknown };
  if (typeof id !== "string" || typeof round !== "number" || !Number.isInteger(round)) return [];
  return [{ id, round, reason: `${handler} gave up (${cause}): ${error}` }];
}
