/**
 * The trace of a request: the caller's, continued, or a new one.
 */
import type { Random } from "../ground/clock.ts";
import { childTrace, formatTraceparent, newTrace, parseTraceparent } from "../observe/trace.ts";

const traceparents = new WeakMap<Request, string>();

/** Gives the request its trace. The door calls this once, before any route. */
export function beginTrace(request: Request, random: Random): string {
  const parent = parseTraceparent(request.headers.get("traceparent"));
  const traceparent = formatTraceparent(parent ? childTrace(parent, random) : newTrace(random));
  traceparents.set(request, traceparent);
  return traceparent;
}

/** The `traceparent` to send along with whatever this request causes: `client.send(topic, value, { traceparent })`. */
export function traceOf(request: Request): string {
  return traceparents.get(request) ?? beginTrace(request, Math.random);
}
