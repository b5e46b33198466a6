/**
 * Event streams have no end of their own: they must survive quiet minutes, and end when the door closes.
 *
 * In: a response and the door's end. Out: the same response, or one whose stream ends with the door.
 */

/** Is this answer a stream of events? (A look at `body` makes a stream of any, so only those are looked at that say so.) */
export function isEventStream(response: Response): boolean {
  const says = response.headers.get("content-type")?.startsWith("text/event-stream");
  return says === true && response.body !== null;
}

/** The same stream, ended in good order when `closing` aborts; its source is cancelled then. */
export function endWith(response: Response, closing: AbortSignal): Response {
  const { body } = response;
  if (body === null) return response;
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const copied = body.pipeTo(writable, { signal: closing, preventAbort: true });
  // Both ways end the same: the reader sees the end of the stream, unless it has left already.
  copied.catch(() => writable.close()).catch(() => {});
  const ended = new Response(readable, response);
  // The connection has no idle limit any more: kept alive, it would stay for ever.
  ended.headers.set("connection", "close");
  return ended;
}
