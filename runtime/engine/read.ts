/**
 * From a record to what a handler is given, or to the end of a record that nobody can read.
 *
 * In: a record. Out: its envelope and its value, checked against the topic's schema. Never here: handlers.
 */
import type { IncomingRecord } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import type { Codec } from "../handler/codec.ts";
import type { Message } from "../handler/message.ts";
import type { AnyTopic } from "../handler/topic.ts";
import type { Envelope } from "./envelope.ts";
import { validate } from "./validate.ts";

export type Read =
  | { readonly readable: true; readonly value: unknown }
  /** `value` is what was decoded, where that much was possible. */
  | { readonly readable: false; readonly value: unknown; readonly thrown: unknown };

const utf8 = new TextDecoder();

/** Decodes and validates. Synchronous schemas cost no turn of the loop. Never throws. */
export function readValue(record: IncomingRecord, topic: AnyTopic): Read | Promise<Read> {
  let value: unknown;
  try {
    value = decoded(record, topic.codec);
    const checked = validate(topic, value);
    return checked instanceof Promise
      ? checked.then(readable, (thrown: unknown) => ({ readable: false, value, thrown }))
      : readable(checked);
  } catch (thrown) {
    return { readable: false, value, thrown };
  }
}

/** @throws CauceError `undecodable` */
function decoded(record: IncomingRecord, codec: Codec): unknown {
  const text = codec.decodeText === undefined ? undefined : record.valueText?.();
  // What was damaged, or looks like it, only the bytes can tell.
  if (typeof text === "string" && !text.includes("\ufffd")) return codec.decodeText?.(text);
  const { value: bytes } = record; // each look makes a view
  if (bytes === null) throw new CauceError("undecodable", "the record has no value (a tombstone)");
  return codec.decode(bytes);
}

function readable(value: unknown): Read {
  return { readable: true, value };
}

/** A record's key in UTF-8, or null. */
export function keyOf(record: IncomingRecord): string | null {
  return record.keyText === undefined ? textOf(record.key) : record.keyText();
}

/** Bytes in UTF-8, or null. */
export function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : utf8.decode(bytes);
}

/** The message that a handler sees. */
export function messageOf({
  envelope,
  key,
  value,
  processing,
}: {
  readonly envelope: Envelope;
  readonly key: string | null;
  readonly value: unknown;
  readonly processing: { readonly handler: { readonly on: AnyTopic } };
}): Message {
  return {
    id: envelope.id,
    value,
    key,
    topic: processing.handler.on.name,
    attempt: envelope.attempts + 1,
    deferrals: envelope.deferrals,
    delivery: envelope.delivery,
    bornAt: new Date(envelope.bornAtMs),
  };
}
