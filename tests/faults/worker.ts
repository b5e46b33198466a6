/**
 * One worker of a fault run: the pipeline as a project of its own, started as `cauce handlers` starts any.
 *
 * In: PREFIX, WORKER, optionally HOLD, ONCE and DIE_AT=point:visit, and the runtime's settings. Out: the line `ready`. Ends cleanly on
 * SIGTERM, and at once when its parent is gone. Never here: judging.
 */
import { FAILPOINTS, dieAt } from "cauce/testing";
import { start } from "../../runtime/main.ts";
import { openCommandConsole } from "../../runtime/bin/command-console.ts";
import { pipeline } from "./pipeline.ts";

const READY_LOOK_MS = 20;

if (import.meta.main) process.exitCode = await main();

async function main(): Promise<number> {
  const { PREFIX: prefix = "", WORKER: worker = "", DIE_AT: fault, HOLD: hold, ONCE: once } = process.env;
  // The parent holds the other end: however it ended, so do we.
  process.stdin.on("end", () => process.exit(1)).resume();
  if (fault !== undefined) arm(fault);
  const { handlers, application } = pipeline({ prefix, worker, hold: hold === "yes", once: once === "yes" });
  const stop = new AbortController();
  const stopped = Promise.withResolvers<void>();
  process.once("SIGTERM", () => {
    stop.abort();
    stopped.resolve();
  });
  const running = await start({
    project: { dir: process.cwd(), handlers, application },
    environment: process.env,
    log: openCommandConsole(process.env).log,
    report: () => undefined,
    signal: stop.signal,
  }).catch((error: unknown) => {
    // Told to stop before it was up: as `cauce handlers`, it has done so.
    if (stop.signal.aborted) process.exit(0);
    throw error;
  });
  while (!running.readiness().ready && !stop.signal.aborted) await Bun.sleep(READY_LOOK_MS);
  process.stdout.write("ready\n");
  await stopped.promise;
  await running.stop();
  // What keeps the parent's pipe open must not keep a stopped worker alive.
  process.exit(0);
}

function arm(fault: string): void {
  const [name, visit] = fault.split(":");
  const point = FAILPOINTS.find((each) => each === name);
  if (point === undefined) throw new Error(`there is no failpoint ${name}`);
  dieAt({ point, visit: Number(visit) });
}
