/** Ends what a command does in a loop: Ctrl-C and SIGTERM. */

/** Aborts at the first of them; a second one ends the process as if nobody listened. */
export function untilSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  return stop.signal;
}
