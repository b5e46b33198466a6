/**
 * Waiting for a door, and for somebody who wants to stop.
 *
 * In: the door's address. Out: nothing, when it is ready. Never here: starting it.
 */
import { CauceError, pause, systemClock } from "cauce";
import { messageOf } from "../../runtime/ground/errors.ts";

const READY_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 200;

/** A door that does not listen yet is one that is not ready. @throws CauceError `unavailable` when it is not ready in time. */
export async function untilReady(url: string, signal = new AbortController().signal): Promise<void> {
  const giveUpMs = systemClock.monotonicMs() + READY_WITHIN_MS;
  while (!signal.aborted) {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(READY_WITHIN_MS) }).catch(
      (thrown: unknown) => thrown,
    );
    if (answer instanceof Response && answer.ok) return;
    if (systemClock.monotonicMs() > giveUpMs) {
      const why = answer instanceof Response ? await answer.text() : messageOf(answer);
      throw new CauceError("unavailable", `the door is not ready: ${why}`);
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
