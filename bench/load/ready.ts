/**
 * Waiting for a door, and for somebody who wants to stop.
 *
 * In: the door's address. Out: nothing, when it is ready. Never here: starting it.
 */
import { CauceError, pause, systemClock } from "cauce";

const READY_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 200;

/** @throws CauceError `unavailable` when the door is not ready in time. */
export async function untilReady(url: string, signal: AbortSignal): Promise<void> {
  const giveUpMs = systemClock.monotonicMs() + READY_WITHIN_MS;
  while (!signal.aborted) {
    const ready = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(READY_WITHIN_MS) });
    if (ready.ok) return;
    if (systemClock.monotonicMs() > giveUpMs) {
      throw new CauceError("unavailable", `the door is not ready: ${await ready.text()}`);
    }
    await pause(systemClock, LOOK_EVERY_MS, signal);
  }
}

/** The first signal ends a run in order; the second one at once (the pipes then end the rest). */
export function onInterrupt(): AbortSignal {
  const interrupt = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (interrupt.signal.aborted) process.exit(130);
      interrupt.abort();
    });
  }
  return interrupt.signal;
}
