/**
 * Bytes ↔ values. JSON is the default, so that Kafka's console tools show what flows.
 *
 * In: bytes from a topic or a value for one. Out: the other. Never here: schemas.
 */
import { CauceError, messageOf } from "../ground/errors.ts";

export interface Codec {
  /** For the `content-type` header. */
  readonly contentType: string;
  /** @throws CauceError `undecodable` with the reason. */
  decode(bytes: Uint8Array): unknown;
  /** The same for a value that is sound UTF-8, which may cost less to get than its bytes. @throws as `decode` */
  decodeText?(text: string): unknown;
  /** @throws CauceError `invalid_value` when the value cannot be written. */
  encode(value: unknown): Uint8Array;
}

/** Nesting beyond this is refused before parsing: a recursive parser must not meet 100,000 brackets. */
export const DEEPEST_JSON = 64;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });
const utf8 = new TextEncoder();

/** JSON in UTF-8. Refuses broken UTF-8, nesting deeper than 64, and what JSON cannot carry. */
export const json: Codec = {
  contentType: "application/json",
  decode: (bytes) => parse(decodeUtf8(bytes)),
  decodeText: parse,
  encode(value) {
    let text: string | undefined;
    try {
      text = JSON.stringify(value);
    } catch (cause) {
      throw new CauceError("invalid_value", `the value cannot be written as JSON: ${messageOf(cause)}`, {
        cause,
      });
    }
    if (text === undefined)
      throw new CauceError("invalid_value", `${typeof value} cannot be written as JSON`);
    return utf8.encode(text);
  },
};

function parse(text: string): unknown {
  if (mayNestDeeper(text) && depthOf(text) > DEEPEST_JSON) {
    throw new CauceError("undecodable", `the value nests deeper than ${DEEPEST_JSON} levels`);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CauceError("undecodable", `the value is not JSON: ${messageOf(cause)}`, { cause });
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch (cause) {
    throw new CauceError("undecodable", `the value's ${bytes.byteLength} bytes are not UTF-8`, { cause });
  }
}

/** No text nests deeper than it opens brackets: few are found by native search, in a tenth of the time of a pass. */
export function mayNestDeeper(text: string): boolean {
  let left = DEEPEST_JSON;
  for (const bracket of ["{", "["])
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1))
      if (--left < 0) return true;
  return false;
}

/** How deep brackets nest outside of strings; an upper bound for broken JSON. One pass, no recursion. */
export function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === 92 /* \ */) at++;
      else if (code === 34 /* " */) inString = false;
    } else if (code === 34) inString = true;
    else if (code === 91 /* [ */ || code === 123 /* { */) deepest = Math.max(deepest, ++depth);
    else if (code === 93 /* ] */ || code === 125 /* } */) depth--;
  }
  return deepest;
}
