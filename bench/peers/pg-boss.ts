/**
 * pg-boss as its documentation says it is fastest: large batches, the shortest poll, no pause while a batch comes back full.
 *
 * In: a `DueWork`. Out: a `DueResult`. Its jobs do nothing: ours are published and acknowledged.
 */
import { PgBoss } from "pg-boss";
import { type DueData, noteDue, piecesOf, readDueWork } from "./due.ts";

const work = readDueWork();
const QUEUE = "due";
const boss = new PgBoss({ connectionString: work.url, max: 10, supervise: true });
boss.on("error", (error) => process.stderr.write(`${error.message}\n`));
await boss.start();
await boss.createQueue(QUEUE);
if (work.role === "work") {
  const note = noteDue(work);
  await boss.work<DueData>(
    QUEUE,
    { batchSize: 1_000, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true },
    (jobs) => {
      for (const { data } of jobs) note(data);
      return Promise.resolve();
    },
  );
  process.stdout.write("ready\n");
} else {
  for (const piece of piecesOf(work))
    await boss.insert(
      QUEUE,
      piece.map((data) => ({ data, startAfter: new Date(data.dueMs) })),
    );
  await boss.stop({ graceful: false });
  process.stdout.write("{}\n", () => process.exit(0));
}
