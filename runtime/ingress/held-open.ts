/**
 * Requests that are meant to be quiet for a while: a route that waits says so, and the server forgets its idle limit for them.
 *
 * Bun keeps what `server.timeout` set for the whole connection, so the limit comes back with the answer: a connection without one
 * would stay open for ever.
 */
const holders = new WeakMap<Request, () => void>();

/** The server's own: how to lift the idle limit of this request's connection. */
export function holdable(request: Request, lift: () => void): void {
  holders.set(request, lift);
}

/** Until it is answered, this request may be quiet for longer than the door's `idleMs`. */
export function holdOpen(request: Request): void {
  holders.get(request)?.();
}
