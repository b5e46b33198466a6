/**
 * From what one question costs to what one process, one machine, ten and a hundred carry.
 *
 * In: measured costs. Out: numbers for docs/scale.md. Pure arithmetic over the assumptions below; nothing here was measured.
 */
import type { QuestionCosts } from "./questions.ts";

/** What the arithmetic takes for granted. The page lists them. */
export const ASSUMED = Object.freeze({
  /** How long a model takes for an answer. */
  modelMs: 2_000,
  /** Calls that one process has in flight: `concurrency` in handlers/llm.requests.ts. */
  inFlight: 64,
  /** Cores of a machine, and the share of them that may be busy in the mean. */
  cores: 8,
  busyShare: 0.6,
  /** Connections of a process: statements, claims, LISTEN, and the application's pool. */
  connections: 4 + 4 + 1 + 8,
  /** Share of questions that wait once in the schedule, and for how long. */
  waitShare: 0.1,
  waitMs: 60_000,
});

export interface Carried {
  readonly machines: number;
  readonly processes: number;
  readonly perSecond: number;
  readonly recordsPerSecond: number;
  readonly transactionsPerSecond: number;
  readonly connections: number;
  readonly waitingRows: number;
  readonly postgresBytesPerDay: number;
}

/** @param machines 0 stands for one process alone. */
export function carriedBy(
  machines: number,
  { cpuUs, transactions, records, databaseBytes }: QuestionCosts,
): Carried {
  const byWaiting = (ASSUMED.inFlight * 1_000) / ASSUMED.modelMs;
  const byCpu = 1e6 / cpuUs;
  const perProcess = Math.min(byWaiting, byCpu * ASSUMED.busyShare);
  const perMachine = ASSUMED.cores * ASSUMED.busyShare * byCpu;
  const processes = machines === 0 ? 1 : machines * Math.ceil(perMachine / perProcess);
  const perSecond = machines === 0 ? perProcess : machines * perMachine;
  return {
    machines,
    processes,
    perSecond,
    recordsPerSecond: perSecond * records,
    transactionsPerSecond: perSecond * transactions,
    connections: processes * ASSUMED.connections,
    waitingRows: (perSecond * ASSUMED.waitShare * ASSUMED.waitMs) / 1_000,
    postgresBytesPerDay: perSecond * 86_400 * databaseBytes,
  };
}
