/**
 * Text that Postgres can hold: `text` and `jsonb` take neither U+0000 nor lone surrogates, and a model may write both.
 *
 * In: any string or JSON value. Out: the same with U+FFFD in their place.
 */

// oxlint-disable-next-line no-control-regex -- U+0000 is the very character that must go.
const NUL = /\u0000/g;

export function storableText(text: string): string {
  return text.toWellFormed().replace(NUL, "\uFFFD");
}

/** Every string of a JSON value, keys included. */
export function storableJson<T>(value: T): T {
  return clean(value) as T;
}

/**
 * The JSON text of a value, with every string in it storable. Only what must be escaped by number can be unstorable, and `JSON.stringify`
 * finds that at the speed of machine code.
 */
export function storableJsonText(value: unknown): string {
  const text = JSON.stringify(value);
  return text.includes("\\u") ? JSON.stringify(clean(value)) : text;
}

function clean(value: unknown): unknown {
  if (typeof value === "string") return storableText(value);
  if (Array.isArray(value)) return value.map(clean);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(
      Object.entries(value).map(([name, field]) => [storableText(name), clean(field)]),
    );
  }
  return value;
}
