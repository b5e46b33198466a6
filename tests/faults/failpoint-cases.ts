/**
 * `kill -9` at every named failpoint, and the auditor's verdict on what a second worker makes of it.
 *
 * In: a real broker and Postgres. Out: one case a failpoint. Never here: the failpoints.
 */
import { FAILPOINTS, type Failpoint } from "cauce/testing";
import type { FaultCase, Services } from "./case.ts";
import { FaultRun, type RunVerdict } from "./run.ts";

const MESSAGES = 400;
/** Commits come every 250 ms: so many are not through before the second one. */
const MESSAGES_FOR_COMMITS = 4_000;
const LATER_MESSAGES = 80;
const DIES_WITHIN_MS = 30_000;

/** The pipeline's handlers commit without transactions. */
type Met = Exclude<Failpoint, `transaction.${string}`>;

/** Which visit is the last one: late enough that others were finished before, early enough that some follow. */
const VISIT: Readonly<Record<Met, number>> = {
  "consume.taken": 250,
  "process.decoded": 250,
  "process.handled": 250,
  "settle.published": 250,
  "settle.rows_written": 5,
  "settle.letter_published": 5,
  "settle.letter_written": 5,
  "commit.before": 2,
  "commit.after": 2,
  "schedule.before_claim": 3,
  "schedule.claimed": 1,
  "schedule.published": 1,
  "schedule.acknowledged": 1,
  "schedule.deleted": 1,
  "schedule.committed": 1,
};

/** Those that have a number of their own among the faults. */
const NUMBER: Partial<Record<Met, number>> = {
  "process.handled": 8,
  "settle.rows_written": 19,
  "settle.letter_written": 19,
  "schedule.acknowledged": 20,
  "schedule.deleted": 20,
};

export const failpointCases: readonly FaultCase[] = FAILPOINTS.filter(isMet).map((point) => ({
  number: NUMBER[point] ?? 1,
  title: `kill -9 at ${point}`,
  expected: "nothing lost; repeats only above the commit, same ids",
  quick: true,
  run: (services) => dieAndGoOn(services, point),
}));

function isMet(point: Failpoint): point is Met {
  return !point.startsWith("transaction.");
}

async function dieAndGoOn(services: Services, point: Met): Promise<RunVerdict> {
  const run = await FaultRun.open(services);
  try {
    const messages = point.startsWith("commit.") ? MESSAGES_FOR_COMMITS : MESSAGES;
    await run.send(messages);
    const doomed = run.fleet.start({ dieAt: { point, visit: VISIT[point] } });
    const died = await Promise.race([
      doomed.exited.then(() => true),
      Bun.sleep(DIES_WITHIN_MS).then(() => false),
    ]);
    if (!died) {
      return {
        passed: false,
        successes: run.through,
        repeats: 0,
        complaints: "the failpoint was not reached",
      };
    }
    if (!run.fleet.deaths.has(doomed.name)) {
      return {
        passed: false,
        successes: 0,
        repeats: 0,
        complaints: `it ended otherwise: ${doomed.output()}`,
      };
    }
    const left = run.through;
    run.fleet.start();
    await run.send(LATER_MESSAGES);
    const verdict = await run.verdict();
    if (left < messages) return verdict;
    return { ...verdict, passed: false, complaints: `it died when all was done; ${verdict.complaints}` };
  } finally {
    await run.close();
  }
}
