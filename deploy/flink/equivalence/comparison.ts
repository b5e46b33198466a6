/**
 * Two published records, field by field.
 *
 * In: what the handler publishes and what the job publishes. Out: every difference, as a sentence; none when they are the same
 * bytes. The one thing that may differ is the wording of a JSON parser's complaint behind "the value is not JSON: ".
 */
import type { OutgoingRecord } from "../../../runtime/bus/bus.ts";

const NOT_JSON = "the value is not JSON: ";
const utf8 = new TextDecoder();

export function differences(expected: OutgoingRecord, found: OutgoingRecord): readonly string[] {
  const names = new Set([...expected.headers, ...found.headers].map(([name]) => name));
  return [
    differenceOf("topic", expected.topic, found.topic),
    differenceOf("key", textOf(expected.key), textOf(found.key)),
    differenceOf("value", textOf(expected.value), textOf(found.value)),
    ...[...names].map((name) =>
      differenceOf(`header ${name}`, headerOf(expected, name), headerOf(found, name)),
    ),
  ].filter((difference) => difference !== "");
}

function differenceOf(field: string, expected: string, found: string): string {
  return expected === found ? "" : `${field} should be ${expected} and is ${found}`;
}

/** A map's worth of headers: Flink hands them on as a map, so their order says nothing. */
function headerOf({ headers }: OutgoingRecord, name: string): string {
  const text = headers
    .filter(([own]) => own === name)
    .map(([, bytes]) => textOf(bytes))
    .join(", ");
  return name === "cauce_error" && text.startsWith(NOT_JSON) ? NOT_JSON : text || "missing";
}

/** Bytes that are no text are shown in base64. */
function textOf(bytes: Uint8Array | null): string {
  if (bytes === null) return "null";
  const text = utf8.decode(bytes);
  return text.includes("\uFFFD") ? bytes.toBase64() : text;
}
