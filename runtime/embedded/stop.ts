/**
 * Ends what stays behind a state folder: the keeper (and with it the broker) and Postgres.
 *
 * In: a state folder. Out: what was ended, in words. Only processes whose identity was checked are ended, and it may be called at
 * any time, by anyone, any number of times. Never here: processes of other state folders, removal of data.
 */
import { rmSync } from "node:fs";
import type { Report } from "../provision/step.ts";
import { endProcess } from "./identity.ts";
import { findKeeper, keeperArguments } from "./keeper.ts";
import { findPostmaster } from "./postmaster.ts";
import { postgresDataDir, stopPostgres } from "./postgres.ts";
import { describeState } from "./state.ts";

/** The keeper waits for Postgres's shutdown, which may write a large checkpoint. */
const KEEPER_LIMIT_MS = 45_000;
const KILL_LIMIT_MS = 5_000;

/** Resolves to one line for each thing that was ended; empty when nothing ran. The lines are reported too. */
export async function stopEmbedded(options: {
  readonly stateDir: string;
  readonly report: Report;
}): Promise<readonly string[]> {
  const state = describeState(options.stateDir);
  const ended: string[] = [];
  const tell = (line: string) => {
    ended.push(line);
    options.report(line);
  };
  const keeper = findKeeper(state.dir);
  const dataDir = postgresDataDir(state.dir);
  const postmaster = dataDir === null ? null : findPostmaster(dataDir);
  if (keeper !== null) {
    const known = { arguments: keeperArguments(keeper.mark) };
    const gone = await endProcess(keeper.pid, { ...known, signal: "SIGTERM", waitMs: KEEPER_LIMIT_MS });
    if (!gone) {
      await endProcess(keeper.pid, { ...known, signal: "SIGKILL", waitMs: KILL_LIMIT_MS });
      rmSync(state.keeper.file, { force: true });
    }
    tell(`ended the keeper of embedded services and its broker (process ${keeper.pid})`);
  }
  // With no keeper, or one that hung, Postgres may still be there.
  await stopPostgres(state.dir, options.report);
  if (postmaster !== null) tell(`ended PostgreSQL (process ${postmaster.pid}); its data stays in ${dataDir}`);
  return ended;
}
