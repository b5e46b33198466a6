/**
 * Scheduling a failing topic in bulk: rows a second that one process writes.
 *
 * In: a stage. Out: rows/s of `store.schedule`, in the batches that the engine hands it. A row that is not there is a fault.
 */
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import { message } from "../../tests/store/messages.ts";
import { measurement } from "../harness/measurement.ts";
import type { Pair } from "../harness/verdict.ts";
import { APP, Table } from "./table.ts";

const ROWS = 100_000;
const QUICK_ROWS = 30_000;
const BATCH = 500;
/** Partitions whose batches fail side by side. */
const SIDE_BY_SIDE = 4;

export const bulk = measurement(
  {
    name: "schedule-bulk",
    row: "delayed/retry scheduler: scheduling in bulk",
    reference: "rows/s that one process writes while all of a topic fails",
    unit: "rows/s",
    better: "higher",
    must: 20_000,
    aim: 30_000,
  },
  async (stage) => {
    const table = await Table.open(await stage.newDatabase());
    const pairs: Pair[] = [];
    for (let pair = 0; pair < stage.pairs; pair++) {
      const topic = `bulk-${pair}`;
      const rows = stage.quick ? QUICK_ROWS : ROWS;
      const store = await createPostgresStore({ url: table.url, app: APP });
      let next = 0;
      const startMs = performance.now();
      const writer = async () => {
        while (next < rows) {
          const from = next;
          next += BATCH;
          const batch = Array.from({ length: BATCH }, (_, n) =>
            message({ messageId: `${topic}-${from + n}`, topic, delayMs: 3_600_000 }),
          );
          await store.schedule(batch);
        }
      };
      await Promise.all(Array.from({ length: SIDE_BY_SIDE }, writer));
      const perSecond = rows / ((performance.now() - startMs) / 1_000);
      await store.close();
      const missing = rows - (await table.left(topic, Date.now() + 2 * 3_600_000));
      stage.say(`  ${perSecond.toFixed(0)} rows/s`);
      pairs.push({ value: perSecond, faults: Math.abs(missing) });
    }
    await table.close();
    return pairs;
  },
);
