/**
 * `fetch` that follows no redirect and reads no more than it was told.
 *
 * In: a request. Out: a response whose whole body is already here, so that the caller's abort signal covers the body too; but
 * an event stream comes as it is, cut at the same number of bytes. Never here: what a status means.
 */
import { BadOutput, ModelUnavailable } from "./model.ts";

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export function boundedFetch(options: { readonly maxResponseBytes: number; readonly fetch: Fetch }): Fetch {
  return async (input, init) => {
    const response = await options.fetch(input, { ...init, redirect: "manual" });
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      throw new ModelUnavailable(
        `the model's address answers with a redirect (${response.status}), which is not followed`,
      );
    }
    if (response.ok && isEventStream(response) && response.body !== null) {
      return new Response(response.body.pipeThrough(cutAt(options.maxResponseBytes)), {
        status: response.status,
        headers: response.headers,
      });
    }
    const body = await readBounded(response, options.maxResponseBytes, init?.signal ?? undefined);
    const headers = new Headers(response.headers);
    // The body was decoded on the way in: these two describe the bytes on the wire.
    headers.delete("content-encoding");
    headers.delete("content-length");
    return new Response(body, { status: response.status, headers });
  };
}

export function isEventStream({ headers }: Response): boolean {
  return /^text\/event-stream\b/i.test(headers.get("content-type") ?? "");
}

function cutAt(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) controller.error(tooLarge(maxBytes));
      else controller.enqueue(chunk);
    },
  });
}

function tooLarge(maxBytes: number): BadOutput {
  return new BadOutput(`the model's reply is larger than ${maxBytes} bytes`);
}

async function readBounded(
  response: Response,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (response.body === null) return null;
  const reader = response.body.getReader();
  const giveUp = () => void reader.cancel().catch(() => {});
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for (;;) {
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) return join(chunks, bytes);
      bytes += value.byteLength;
      if (bytes > maxBytes) {
        giveUp();
        throw tooLarge(maxBytes);
      }
      chunks.push(value);
    }
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}

function join(chunks: readonly Uint8Array[], bytes: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(bytes);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}
