/**
 * Ports on 127.0.0.1 that nobody uses.
 *
 * In: nothing. Out: a number below 32768, where Linux takes no port for outgoing connections: a server that is
 * restarted finds its port free again. Never here: a reservation; whoever asks listens on it soon.
 */
const LOWEST = 20_000;
const HIGHEST = 32_000;
const TRIES = 100;

export function freePort(): number {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
      return port;
    } catch {
      // Taken: the next number.
    }
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST} was found in ${TRIES} tries`);
}
