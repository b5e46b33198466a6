/**
 * The reference: the claim as design books have it, in plain SQL on one connection, that publishes nothing.
 *
 * In: a table, a topic, how many rows. Out: a call per claim with what it took. Nothing of the runtime's store or scheduler is in it;
 * its plan is pinned as ours is, and a thousand rows a claim is its best size.
 */
import postgres from "postgres";

const ROWS = 1_000;
const LOOK_EVERY_MS = 1;

const TAKE = `
  SELECT id, topic, key, value, header_names, header_values FROM cauce.scheduled
  WHERE app = $1 AND topic = $2 AND due_at <= now() ORDER BY due_at, id LIMIT ${ROWS} FOR UPDATE SKIP LOCKED`;
const PINNED = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET jit = off";

export interface ClaimLoop {
  readonly url: string;
  readonly app: string;
  readonly topic: string;
  /** Ends after so many. */
  readonly rows: number;
  readonly taken: (values: readonly Uint8Array[]) => void;
}

export async function runClaimLoop({ url, app, topic, rows, taken }: ClaimLoop): Promise<void> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  await sql.unsafe(PINNED);
  for (let count = 0; count < rows;) {
    const values = await sql.begin(async (tx) => {
      const due = await tx.unsafe<{ id: string; value: Uint8Array }[]>(TAKE, [app, topic], { prepare: true });
      if (due.length > 0)
        await tx.unsafe(
          "DELETE FROM cauce.scheduled WHERE id = ANY ($1::bigint[])",
          [`{${due.map(({ id }) => id).join(",")}}`],
          { prepare: true },
        );
      return due.map(({ value }) => value);
    });
    count += values.length;
    if (values.length > 0) taken(values);
    else await Bun.sleep(LOOK_EVERY_MS);
  }
  await sql.end();
}
