/**
 * Rows as columns: Postgres's array literals, built and read by hand, because a batch travels as one array per column.
 *
 * In: JavaScript values. Out: text such as `{"\\x6162",NULL}`, and back for headers.
 * Never here: SQL.
 */
import type { RecordHeaders } from "../bus/bus.ts";

/** A literal for `text[]`. The texts must hold neither U+0000 nor lone surrogates. */
export function textColumn(texts: readonly string[]): string {
  return `{${texts.map(quoted).join(",")}}`;
}

/** A literal for numeric arrays; a number may be given in decimal. */
export function numberColumn(numbers: readonly (number | string | null)[]): string {
  return `{${numbers.map((number) => number ?? "NULL").join(",")}}`;
}

/** A literal for `bytea[]`. */
export function bytesColumn(values: readonly (Uint8Array | null)[]): string {
  return `{${values.map(bytesElement).join(",")}}`;
}

/** Names and values of many records' headers, each record's as the text of one `bytea[]`. */
export function headerColumns(all: readonly RecordHeaders[]): readonly [names: string, values: string] {
  return [
    textColumn(all.map((headers) => bytesColumn(headers.map(([name]) => Buffer.from(name))))),
    textColumn(all.map((headers) => bytesColumn(headers.map(([, value]) => value)))),
  ];
}

/** Headers from two `bytea[]` as Postgres writes them. */
export function readHeaders(names: string, values: string): RecordHeaders {
  if (names === "{}") return [];
  // Rows that are read together carry the same names, nearly always.
  if (names !== lastNames.literal)
    lastNames = { literal: names, names: readBytesArray(names).map((name) => name?.toString() ?? "") };
  const bytes = readBytesArray(values);
  return lastNames.names.map((name, index) => [name, bytes[index] ?? null] as const);
}

let lastNames: { readonly literal: string; readonly names: readonly string[] } = { literal: "{}", names: [] };

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

function bytesElement(value: Uint8Array | null): string {
  if (value === null) return "NULL";
  return `"\\\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}"`;
}

/** Elements are `NULL` or `"\\x…"`: hex holds no comma and no quote. */
function readBytesArray(literal: string): (Buffer | null)[] {
  return literal
    .slice(1, -1)
    .split(",")
    .map((element) => (element === "NULL" ? null : Buffer.from(element.slice(4, -1), "hex")));
}
