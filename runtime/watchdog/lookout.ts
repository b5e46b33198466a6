/**
 * The lookout: a thread of its own that sees when the event loop of the main thread stands still, notes it in the journal
 * and ends the process. A loop like `while (true)` cannot be interrupted from inside.
 *
 * In: the journal's path and a limit. Out: nothing, or the process's end by SIGKILL.
 * It counts its own looks and not time: a process that was stopped as a whole (SIGSTOP, a sleeping laptop) has not stalled.
 */
import { isMainThread, workerData } from "node:worker_threads";
import { overlook } from "./journal.ts";

export interface LookoutOptions {
  readonly path: string;
  readonly stallMs: number;
  readonly lookEveryMs: number;
}

// The entry of a thread: it works when it is one, never when it is imported.
if (!isMainThread) watch(workerData as LookoutOptions);

function watch({ path, stallMs, lookEveryMs }: LookoutOptions): void {
  const { beats, stalled } = overlook(path);
  let last = beats();
  let still = 0;
  setInterval(() => {
    const now = beats();
    still = now === last ? still + 1 : 0;
    last = now;
    if (still * lookEveryMs < stallMs) return;
    stalled();
    process.kill(process.pid, "SIGKILL");
  }, lookEveryMs);
}
