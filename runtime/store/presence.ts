/**
 * Looks whether the database is there, when a connection ended and nobody else would ask.
 *
 * In: a way to run a statement. Out: statements, one at a time, until one comes back; whoever runs them learns whether
 * the database answers. Never here: the verdict.
 */
import type { Clock } from "../ground/clock.ts";
import type { Run } from "./connection.ts";

export interface Presence {
  /** Asks now, and again until there is an answer. */
  look(): void;
  close(): void;
}

const LOOK_AGAIN_MS = 500;

export function watchPresence({ run, clock }: { readonly run: Run; readonly clock: Clock }): Presence {
  let looking = false;
  let closed = false;
  let cancel = () => {};

  function look(): void {
    if (looking || closed) return;
    looking = true;
    run("SELECT 1").then(
      () => {
        looking = false;
      },
      () => {
        if (closed) return;
        cancel = clock.after(LOOK_AGAIN_MS, () => {
          looking = false;
          look();
        });
      },
    );
  }

  return {
    look,
    close() {
      closed = true;
      cancel();
    },
  };
}
