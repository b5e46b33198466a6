/**
 * The port is taken: by another Cauce, or by a stranger?
 *
 * In: an address. Out: an error that knows. A Cauce says so at `/healthz`.
 */
import type { Clock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import { SERVICE } from "./operator-routes.ts";

/** The door could not be opened. `byCauce`: another Cauce serves this port, and this one can work without a door. */
export class PortTaken extends CauceError {
  readonly port: number;
  readonly byCauce: boolean;

  constructor({ port, byCauce, cause }: { port: number; byCauce: boolean; cause: unknown }) {
    super(
      "unavailable",
      byCauce
        ? `port ${port} is served by another Cauce already`
        : `port ${port} is in use by another program; stop it, or set PORT to a free one`,
      { cause },
    );
    this.port = port;
    this.byCauce = byCauce;
  }
}

/** The probe's patience: long enough for a busy Cauce, short enough for a start that must be ready in 3 s. */
const PROBE_MS = 1_500;
const LONGEST_ANSWER = 4_096;

/** Does a Cauce answer at this address? Never rejects. */
export async function isCauce(url: string, clock: Pick<Clock, "after">): Promise<boolean> {
  const deadline = new AbortController();
  const cancel = clock.after(PROBE_MS, () => deadline.abort());
  try {
    const response = await fetch(`${url}/healthz`, { signal: deadline.signal, redirect: "error" });
    const text = (await response.text()).slice(0, LONGEST_ANSWER);
    const answer: unknown = JSON.parse(text);
    return typeof answer === "object" && answer !== null && "service" in answer && answer.service === SERVICE;
  } catch {
    return false;
  } finally {
    cancel();
  }
}
