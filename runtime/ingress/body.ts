/**
 * Reads a request's body: whole, bounded in bytes, time and depth, as JSON, once.
 *
 * In: a request that a route has matched. Out: the parsed value. Everything else is a Refusal that says what was wrong.
 * Never here: schemas.
 */
import type { Clock } from "../ground/clock.ts";
import { DEEPEST_JSON, depthOf, mayNestDeeper } from "../handler/codec.ts";
import { reaching } from "./carried-text.ts";
import type { IngressLimits } from "./limits.ts";
import { Refusal } from "./refusal.ts";

export interface BodyOptions {
  readonly limits: Pick<IngressLimits, "bodyBytes" | "bodyMs">;
  readonly clock: Pick<Clock, "after">;
}

const JSON_TYPE = /^application\/(?:json|[\w!#$&^.+-]+\+json)$/i;
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The body's value; undefined when the request has no body, null when the body is empty.
 * @throws Refusal 400 (broken, empty, too deep, names that reach for prototypes), 408, 413 or 415.
 */
export async function readBody(request: Request, options: BodyOptions): Promise<unknown> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > options.limits.bodyBytes) throw tooLarge(options);
  // What is announced and small comes whole. (A look at `request.body` alone would make a stream of it, at the cost of a route.)
  if (announced > 0) {
    checkContentType(request);
    return valueOf(await withinTime(request.bytes(), options));
  }
  const { body } = request;
  if (body === null) return undefined;
  if (request.headers.has("transfer-encoding")) checkContentType(request);
  return valueOf(await readWithin(body, options));
}

function valueOf(bytes: Uint8Array): unknown {
  return bytes.byteLength === 0 ? null : parse(bytes);
}

function checkContentType(request: Request): void {
  const came = request.headers.get("content-type");
  const [type = "", ...parameters] = (came ?? "").split(";").map((part) => part.trim());
  const charset = parameters.find((parameter) => /^charset=/i.test(parameter));
  const utf8 = charset === undefined || /^charset="?utf-?8"?$/i.test(charset);
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") {
    throw new Refusal(415, {
      title: "Unsupported media type",
      detail: `send the body as it is, without content-encoding "${encoding}"`,
      headers: { "accept-encoding": "identity" },
    });
  }
  if (JSON_TYPE.test(type) && utf8) return;
  throw new Refusal(415, {
    title: "Unsupported media type",
    detail: `send JSON in UTF-8 with content-type: application/json; this came ${came === null ? "without a content-type" : `as "${came}"`}`,
    headers: { "accept-post": "application/json" },
  });
}

/** All bytes, or a Refusal as soon as there are too many or the time is over. What is left unread is thrown away. */
async function readWithin(body: ReadableStream<Uint8Array>, options: BodyOptions): Promise<Uint8Array> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const read = async (): Promise<Uint8Array> => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return Buffer.concat(chunks, size);
      size += value.byteLength;
      if (size > options.limits.bodyBytes) throw tooLarge(options);
      chunks.push(value);
    }
  };
  try {
    return await withinTime(read(), options);
  } catch (refusal) {
    // The refusal is what counts; a client that is gone cannot be told more.
    reader.cancel().catch(() => {});
    throw refusal;
  }
}

/** @throws Refusal 408 when the time is over, 400 when the connection broke off, or the Refusal that reading threw. */
async function withinTime(reading: Promise<Uint8Array>, { limits, clock }: BodyOptions): Promise<Uint8Array> {
  const late = Promise.withResolvers<never>();
  const cancelDeadline = clock.after(limits.bodyMs, () => {
    late.reject(
      new Refusal(408, {
        title: "Request timeout",
        detail: `the body did not arrive within ${limits.bodyMs} ms`,
        headers: { connection: "close" },
      }),
    );
  });
  try {
    return await Promise.race([reading, late.promise]);
  } catch (thrown) {
    if (thrown instanceof Refusal) throw thrown;
    throw new Refusal(400, { title: "The body could not be read", detail: "the connection broke off" });
  } finally {
    cancelDeadline();
  }
}

function tooLarge({ limits }: BodyOptions): Refusal {
  return new Refusal(413, {
    title: "Body too large",
    detail: `a body may have at most ${limits.bodyBytes} bytes`,
    headers: { connection: "close" },
  });
}

function parse(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = strictUtf8.decode(bytes);
  } catch {
    throw unusable("it is not valid UTF-8");
  }
  if (mayNestDeeper(text) && depthOf(text) > DEEPEST_JSON)
    throw unusable(`it nests deeper than ${DEEPEST_JSON} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unusable(cause instanceof Error ? cause.message : "it cannot be parsed");
  }
  const errors = reaching(value);
  if (errors.length === 0) return value;
  throw new Refusal(400, { title: "The body holds names that cannot be used", errors });
}

function unusable(detail: string): Refusal {
  return new Refusal(400, { title: "The body is not usable JSON", detail });
}
