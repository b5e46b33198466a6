/**
 * Workers that are killed, stopped and frozen under load, on a real broker.
 *
 * In: a real broker and Postgres. Out: cases. Never here: what counts as right (`run.ts`, the auditor).
 */
import type { FaultCase, Services } from "./case.ts";
import { FaultRun, type RunOptions, type RunVerdict } from "./run.ts";

const WORKERS = 3;

/** `kills` times: a worker chosen by chance is killed after a time chosen by chance, and another one starts. */
export async function randomKills(
  services: RunOptions,
  { kills, leastMessages }: { kills: number; leastMessages: number },
): Promise<RunVerdict> {
  return await underLoad(services, leastMessages, async (run) => {
    for (let kill = 0; kill < kills; kill++) {
      await Bun.sleep(LEAST_LIFE_MS + Math.random() * MORE_LIFE_MS);
      const { living } = run.fleet;
      await living[Math.floor(Math.random() * living.length)]?.kill();
      run.fleet.start();
    }
  });
}

const LEAST_LIFE_MS = 500;
const MORE_LIFE_MS = 2_500;

/** Starts the workers, sends all the while that `harm` is done and until there were `leastMessages`, and judges. */
export async function underLoad(
  services: RunOptions,
  leastMessages: number,
  harm: (run: FaultRun) => Promise<string[] | void>,
): Promise<RunVerdict> {
  const run = await FaultRun.open(services);
  try {
    for (let worker = 0; worker < WORKERS; worker++) run.fleet.start();
    await Promise.all(run.fleet.living.map((worker) => worker.ready()));
    const harmed = new AbortController();
    let sent = 0;
    const load = async () => {
      while (!harmed.signal.aborted || sent < leastMessages) {
        await run.send(BURST);
        sent += BURST;
        await Bun.sleep(BURST_EVERY_MS);
      }
    };
    const loading = load();
    const complaints = await harm(run).finally(() => harmed.abort());
    await loading;
    const verdict = await run.verdict();
    const all = [verdict.complaints, ...(complaints ?? [])].filter((complaint) => complaint !== "");
    if (all.length > 0) all.push(run.fleet.lastWords());
    return { ...verdict, passed: all.length === 0, complaints: all.join("; ") };
  } finally {
    await run.close();
  }
}

/** 400 messages a second, so that something is always under way. */
const BURST = 40;
const BURST_EVERY_MS = 100;

/** A clean stop drains and commits: with no death at all, the auditor allows no repeat. */
async function cleanStops(services: Services, stops: number): Promise<RunVerdict> {
  // Nobody is to be taken for dead here, however busy the machine is.
  const patient = { ...services, kafka: { "session.timeout.ms": "20000" } };
  return await underLoad(patient, 1_000, async (run) => {
    const complaints: string[] = [];
    for (let stop = 0; stop < stops; stop++) {
      await Bun.sleep(LEAST_LIFE_MS);
      const [oldest] = run.fleet.living;
      run.fleet.start();
      const code = await oldest?.stop();
      if (code !== 0) complaints.push(`a stopped worker ended with ${code}: ${oldest?.output()}`);
    }
    return complaints;
  });
}

/** Longer than the members' session of 3 s. */
const FROZEN_MS = 5_000;

async function zombie(services: Services): Promise<RunVerdict> {
  return await underLoad(services, 1_000, async (run) => {
    const [victim] = run.fleet.living;
    await victim?.freeze();
    await Bun.sleep(FROZEN_MS);
    victim?.thaw();
    await Bun.sleep(FROZEN_MS);
    return victim === undefined || run.fleet.living.includes(victim)
      ? []
      : ["the frozen worker did not survive"];
  });
}

export const killCases: readonly FaultCase[] = [
  {
    number: 1,
    title: "2 random kills across 3 workers under load",
    expected: "nothing lost; repeats only above the commit, same ids",
    quick: true,
    run: (services) => randomKills(services, { kills: 2, leastMessages: 1_000 }),
  },
  {
    number: 2,
    title: "one worker of three stopped with SIGTERM and replaced under load",
    expected: "exit 0; nothing repeated",
    quick: true,
    run: (services) => cleanStops(services, 1),
  },
  {
    number: 1,
    title: "6 random kills across 3 workers under load",
    expected: "nothing lost; repeats only above the commit, same ids",
    quick: false,
    run: (services) => randomKills(services, { kills: 6, leastMessages: 2_000 }),
  },
  {
    number: 1,
    title: "50 random kills across 3 workers under load",
    expected: "nothing lost; repeats only above the commit, same ids",
    quick: false,
    run: (services) => randomKills(services, { kills: 50, leastMessages: 10_000 }),
  },
  {
    number: 2,
    title: "workers stopped with SIGTERM and replaced under load",
    expected: "exit 0; nothing repeated",
    quick: false,
    run: (services) => cleanStops(services, 4),
  },
  {
    number: 3,
    title: "a worker frozen past its session, then thawed",
    expected: "partitions move; what it still publishes carries the same ids; it rejoins",
    quick: false,
    run: zombie,
  },
  {
    number: 5,
    title: "a worker more or less every half second under load, 20 times",
    expected: "nothing repeated, nothing lost",
    quick: false,
    run: (services) => cleanStops(services, 20),
  },
];
