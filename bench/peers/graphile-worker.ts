/**
 * graphile-worker as its documentation says it is fastest: a local queue, completions in batches; and it polls 20 times more often
 * than by default, since what becomes due with time is found by polling alone.
 *
 * In: a `DueWork`. Out: a `DueResult`. Its jobs do nothing: ours are published and acknowledged.
 */
import { makeWorkerUtils, run } from "graphile-worker";
import { type DueData, noteDue, piecesOf, readDueWork } from "./due.ts";

const work = readDueWork();
const TASK = "due";
const silent = { connectionString: work.url };
if (work.role === "work") {
  const note = noteDue(work);
  await run({
    ...silent,
    noHandleSignals: true,
    taskList: { [TASK]: (data: DueData) => note(data) },
    preset: {
      worker: {
        concurrentJobs: 24,
        maxPoolSize: 10,
        pollInterval: 100,
        localQueue: { size: 500 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  });
  process.stdout.write("ready\n");
} else {
  const utils = await makeWorkerUtils(silent);
  await utils.migrate();
  for (const piece of piecesOf(work))
    await utils.addJobs(
      piece.map((payload) => ({ identifier: TASK, payload, runAt: new Date(payload.dueMs) })),
    );
  await utils.release();
  process.stdout.write("{}\n", () => process.exit(0));
}
