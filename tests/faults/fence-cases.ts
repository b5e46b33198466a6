/**
 * Keys that wait while one of their messages does (`whileRetrying: "hold"`), under kills, rebalances, changes by hand and
 * constant traffic.
 *
 * In: a real broker and Postgres. Out: cases. Never here: what counts as right (`run.ts`, the auditor).
 */
import { SQL } from "bun";
import type { FaultCase, Services } from "./case.ts";
import { underLoad } from "./kill-cases.ts";
import type { FaultRun, RunVerdict } from "./run.ts";

const KILLS = 4;
const LEAST_MESSAGES = 2_000;

async function killsAndChanges(services: Services): Promise<RunVerdict> {
  const hands = new SQL(services.databaseUrl, { max: 1 });
  try {
    return await underLoad({ ...services, hold: true }, LEAST_MESSAGES, async (run) => {
      for (let kill = 0; kill < KILLS; kill++) {
        await changeByHand(hands, run);
        await run.fleet.living[kill % run.fleet.living.length]?.kill();
        run.fleet.start();
        await changeByHand(hands, run);
      }
    });
  } finally {
    await hands.close();
  }
}

const CHANGES = 10;
const CHANGE_EVERY_MS = 80;

/** As an operator would: some rows sooner, some later. Delayed outputs stay: the auditor knows when those are due. */
async function changeByHand(hands: SQL, { prefix }: FaultRun): Promise<void> {
  for (let change = 0; change < CHANGES; change++) {
    await hands`
      UPDATE cauce.scheduled SET due_at = now() + (random() * 200) * interval '1 millisecond'
      WHERE app = ${prefix} AND kind = 'retry' AND random() < 0.3`;
    await Bun.sleep(CHANGE_EVERY_MS);
  }
}

async function calm(services: Services): Promise<RunVerdict> {
  return await underLoad({ ...services, hold: true }, LEAST_MESSAGES, async (run) => {
    // A member more, a member less: the owners of keys change while they are held.
    const joined = run.fleet.start();
    await joined.ready();
    await joined.stop();
  });
}

export const fenceCases: readonly FaultCase[] = [
  {
    number: 5,
    title: "every fifth message of each key fails once and holds its key, while a worker joins and leaves",
    expected: "every key in order, no key stays blocked",
    quick: true,
    run: calm,
  },
  {
    number: 1,
    title: "held keys, 4 kills across 3 workers and waiting rows moved by hand",
    expected: "nothing lost; every key in order; no key stays blocked; repeats carry the same ids",
    quick: false,
    run: killsAndChanges,
  },
];
