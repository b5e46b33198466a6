/**
 * A schedule that is filled at once: rows that wait for hours, and rows that are due at known times.
 *
 * In: a database. Out: its rows, made by SQL alone, with their keys. A due row's value says when it is due, in ms of the
 * database's clock, which is this machine's too. Never here: who fires them.
 */
import postgres from "postgres";
import { createPostgresStore } from "../../runtime/store/postgres.ts";

export const APP = "bench";

export interface Due {
  readonly rows: number;
  /** From now to the first. */
  readonly afterMs: number;
  /** From the first to the last; 0 makes all due at one instant. */
  readonly overMs: number;
}

export class Table {
  readonly #sql: postgres.Sql;
  #batches = 0;

  /** Makes the tables. */
  static async open(url: string): Promise<Table> {
    await (await createPostgresStore({ url, app: APP })).close();
    return new Table(url);
  }

  private constructor(readonly url: string) {
    this.#sql = postgres(url, { max: 1, onnotice: () => undefined });
  }

  /** Rows that are due in a day or later. */
  async wait(topic: string, rows: number): Promise<void> {
    await this.#insert(topic, "w", rows, 86_400_000, rows);
    await this.vacuum();
    await this.#sql.unsafe("CHECKPOINT");
  }

  async vacuum(): Promise<void> {
    await this.#sql.unsafe("VACUUM ANALYZE cauce.scheduled");
  }

  /** @returns when the first is due, in ms since 1970. */
  async due(topic: string, { rows, afterMs, overMs }: Due): Promise<number> {
    return await this.#insert(topic, `d${++this.#batches}-`, rows, afterMs, overMs);
  }

  /** Rows of a topic that are still there. */
  async left(topic: string, beforeMs: number): Promise<number> {
    const [row] = await this.#sql<{ count: number }[]>`
      SELECT count(*)::integer AS count FROM cauce.scheduled
      WHERE app = ${APP} AND topic = ${topic} AND due_at < to_timestamp(${beforeMs / 1_000})`;
    return row?.count ?? NaN;
  }

  /** How long commits take, in ms, one every `everyMs` until told to end. */
  async commits(everyMs: number, over: AbortSignal): Promise<number[]> {
    await this.#sql.unsafe("CREATE TABLE IF NOT EXISTS probe (n integer)");
    return await probe(everyMs, over, () => this.#sql.unsafe("INSERT INTO probe VALUES (1)"));
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 1 });
  }

  async #insert(
    topic: string,
    prefix: string,
    rows: number,
    afterMs: number,
    overMs: number,
  ): Promise<number> {
    const firstMs = Date.now() + afterMs;
    const stepMs = rows > 1 ? overMs / rows : 0;
    await this.#sql`
      WITH given AS MATERIALIZED (
        SELECT nextval('cauce.scheduled_id_seq') AS id, n, ${prefix} || n AS message_id,
          ${firstMs}::float8 + n * ${stepMs}::float8 AS due_ms
        FROM generate_series(0, ${rows - 1}::integer) AS n
      ), keys AS (
        INSERT INTO cauce.schedule_key (app, handler, message_key, delivery, row_id)
        SELECT ${APP}, 'bench', message_id, 0, id FROM given
      )
      INSERT INTO cauce.scheduled (id, app, handler, message_id, kind, topic, key, value, due_at)
      SELECT id, ${APP}, 'bench', message_id, 'output', ${topic}, convert_to(n::text, 'UTF8'),
        convert_to('{"n":' || n || ',"dueMs":' || due_ms || ',"text":"' || repeat('x', 100) || '"}', 'UTF8'),
        to_timestamp(due_ms / 1000)
      FROM given`;
    return firstMs;
  }
}

/** Times `work`, one at a time, again after `everyMs`. */
export async function probe(
  everyMs: number,
  over: AbortSignal,
  work: () => PromiseLike<unknown>,
): Promise<number[]> {
  const times: number[] = [];
  while (!over.aborted) {
    const startMs = performance.now();
    await work();
    times.push(performance.now() - startMs);
    await Bun.sleep(everyMs);
  }
  return times;
}
