/**
 * The event loop's turn: what came in meanwhile, and timers that are due, go first.
 */

/** Resolves in the next turn of the event loop, without a timer. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
