/**
 * What tests do at failpoints: end this process as `kill -9` would, or only look.
 *
 * In: a point, and which visit of it. Out: nothing; the process is gone. Never here: the points themselves
 * (ground/failpoint.ts).
 */
import { armFailpoints, type Failpoint } from "../ground/failpoint.ts";

export { armFailpoints, FAILPOINTS, type Failpoint } from "../ground/failpoint.ts";

/**
 * Kills this process at the `visit`-th visit of a point (1 is the first): nothing is flushed, closed or said.
 * Returns a function that ends the watch.
 */
export function dieAt({ point, visit }: { readonly point: Failpoint; readonly visit: number }): () => void {
  let visits = 0;
  return armFailpoints((reached) => {
    if (reached === point && ++visits === visit) process.kill(process.pid, "SIGKILL");
  });
}
