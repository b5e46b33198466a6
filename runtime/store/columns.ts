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
  return [`{${all.map(namesElement).join(",")}}`, `{${all.map(valuesElement).join(",")}}`];
}

/** Headers from two `bytea[]` as Postgres writes them. */
export function readHeaders(names: string, values: string): RecordHeaders {
  if (names === "{}") return [];
  if (names !== lastRead.literal) {
    const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
    lastRead = {
      literal: names,
      names: readBytesArray(names).map((name) => (name ? utf8.decode(name) : "")),
    };
  }
  const bytes = readBytesArray(values);
  return lastRead.names.map((name, index) => [name, bytes[index] ?? null] as const);
}

// Rows that are read or written together carry the same names, nearly always.
let lastRead: { readonly literal: string; readonly names: readonly string[] } = { literal: "{}", names: [] };
let lastWritten: { readonly element: string; readonly names: readonly string[] } = {
  element: '"{}"',
  names: [],
};

function namesElement(headers: RecordHeaders): string {
  const { names } = lastWritten;
  if (headers.length !== names.length || headers.some(([name], index) => name !== names[index])) {
    const utf8 = new TextEncoder();
    const element = valuesElement(headers.map(([name]) => [name, utf8.encode(name)]));
    lastWritten = { element, names: headers.map(([name]) => name) };
  }
  return lastWritten.element;
}

/** Backslashes of an array within an array: hex holds nothing else that either of them would read as its own. */
function valuesElement(headers: RecordHeaders): string {
  let elements = "";
  for (const [, value] of headers) elements += value === null ? ",NULL" : `,\\\\\\\\x${value.toHex()}`;
  return `"{${elements.slice(1)}}"`;
}

function bytesElement(value: Uint8Array | null): string {
  return value === null ? "NULL" : `\\\\x${value.toHex()}`;
}

function quoted(text: string): string {
  // Nearly none holds either, and telling so costs less than replacing.
  if (!text.includes('"') && !text.includes("\\")) return `"${text}"`;
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** Elements are `NULL` or `"\\x…"`: hex holds no comma and no quote. */
function readBytesArray(literal: string): (Uint8Array | null)[] {
  return literal
    .slice(1, -1)
    .split(",")
    .map((element) => (element === "NULL" ? null : Uint8Array.fromHex(element.slice(4, -1))));
}
