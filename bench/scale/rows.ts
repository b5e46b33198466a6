/**
 * More rows, one schedule: how fast does a backlog go while 100k, 1M or 10M rows wait, and what do they take on the disk?
 *
 * In: a stage. Out: a point for each number of rows.
 */
import postgres from "postgres";
import { PARTITIONS, type Stage } from "../harness/stage.ts";
import { quantile } from "../harness/statistics.ts";
import { drainRate } from "../scheduler/drain.ts";
import { Table } from "../scheduler/table.ts";

const DRAINS = 3;

export interface RowsPoint {
  readonly rows: number;
  /** Rows that were due at one instant, a second; the median of three drains. */
  readonly drainedPerSecond: number;
  /** With keys and indexes. */
  readonly bytesPerRow: number;
}

export async function measureRows(stage: Stage, counts: readonly number[]): Promise<readonly RowsPoint[]> {
  const topic = await stage.newTopic(PARTITIONS);
  const points: RowsPoint[] = [];
  for (const rows of counts) {
    const table = await Table.open(await stage.newDatabase());
    try {
      await table.wait(topic, rows);
      const bytes = await sizeOf(table.url);
      const rates: number[] = [];
      for (let drain = 0; drain < DRAINS; drain++) {
        const { rate, faults } = await drainRate(stage, table, topic, "runtime");
        if (faults > 0) throw new Error(`${faults} rows were wrong with ${rows} waiting`);
        rates.push(rate);
      }
      const point = { rows, drainedPerSecond: quantile(rates, 0.5), bytesPerRow: bytes / rows };
      stage.say(
        `  ${rows} rows wait: ${point.drainedPerSecond.toFixed(0)} rows/s, ${point.bytesPerRow.toFixed(0)} B a row`,
      );
      points.push(point);
    } finally {
      await table.close();
    }
  }
  await stage.dropTopics(topic);
  return points;
}

async function sizeOf(url: string): Promise<number> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    const [row] = await sql<{ bytes: number }[]>`
      SELECT (pg_total_relation_size('cauce.scheduled') + pg_total_relation_size('cauce.schedule_key'))::float8 AS bytes`;
    return row?.bytes ?? NaN;
  } finally {
    await sql.end();
  }
}
