/**
 * Any value as plain, bounded, secret-free data that JSON can carry.
 *
 * In: whatever was handed to the log. Out: strings, numbers, booleans, null, arrays and objects of them.
 * Never here: throwing, `toJSON` of strangers, more than the limits below.
 */
import { isSecretField, REDACTED } from "./redact.ts";

export type PlainValue =
  string | number | boolean | null | readonly PlainValue[] | { readonly [name: string]: PlainValue };

export interface PlainOptions {
  readonly redact: (text: string) => string;
  /** Are stacks wanted? */
  readonly stacks: boolean;
}

const LONGEST_TEXT = 2_000;
/** Text behind this is not even searched: it is never shown. */
const LONGEST_SEARCHED = 32_000;
const MOST_ITEMS = 50;
const DEEPEST = 5;
const DEEPEST_CAUSE = 5;

/** A value's plain form. `name` is the field it stands in: a secret's name hides whatever it holds. */
export function plainValue(value: unknown, name: string, options: PlainOptions): PlainValue {
  try {
    return plain(value, name, options, []);
  } catch {
    return "[unreadable]";
  }
}

/** Redacted first and cut afterwards, so that no half of a secret stays. */
export function boundedText(text: string, redact: (text: string) => string): string {
  const searched = text.slice(0, LONGEST_SEARCHED).toWellFormed();
  const clean = redact(searched);
  if (clean.length > LONGEST_TEXT) {
    return `${clean.slice(0, LONGEST_TEXT).toWellFormed()}… (${text.length} characters)`;
  }
  // So much of it was secret that the end may hold the first half of one more.
  return searched.length < text.length ? `${REDACTED} (${text.length} characters)` : clean;
}

function plain(value: unknown, name: string, options: PlainOptions, above: readonly object[]): PlainValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "boolean") return value;
  if (isSecretField(name)) return REDACTED;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "string") return boundedText(value, options.redact);
  if (typeof value !== "object") return typeof value === "bigint" ? String(value) : `[${typeof value}]`;
  if (above.includes(value)) return "[circular]";
  if (value instanceof Error) return flattenError(value, options, 0);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[invalid date]" : value.toISOString();
  if (value instanceof URL) return boundedText(value.href, options.redact);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (above.length >= DEEPEST) return "[deeper]";
  const inside = [...above, value];
  if (Array.isArray(value) || value instanceof Set) {
    const items = [...value.values()];
    const shown: PlainValue[] = items.slice(0, MOST_ITEMS).map((item) => plain(item, name, options, inside));
    if (items.length > MOST_ITEMS) shown.push(`… ${items.length - MOST_ITEMS} more`);
    return shown;
  }
  const entries = value instanceof Map ? [...value.entries()] : Object.entries(value);
  const shown: Record<string, PlainValue> = Object.create(null);
  for (const [key, item] of entries.slice(0, MOST_ITEMS)) {
    const called = boundedText(String(key), options.redact);
    shown[called] = plain(item, called, options, inside);
  }
  if (entries.length > MOST_ITEMS) shown["…"] = `${entries.length - MOST_ITEMS} more`;
  return shown;
}

/** Code and message of an error and of its causes. Its own fields are left out: clients keep requests and keys there. */
function flattenError(error: Error, options: PlainOptions, depth: number): PlainValue {
  const code: unknown = "code" in error ? error.code : undefined;
  const { cause } = error;
  return {
    ...(typeof code === "string" || typeof code === "number"
      ? { code: boundedText(String(code), options.redact) }
      : { name: boundedText(error.name, options.redact) }),
    message: boundedText(error.message, options.redact),
    ...(cause instanceof Error && depth < DEEPEST_CAUSE
      ? { cause: flattenError(cause, options, depth + 1) }
      : {}),
    ...(options.stacks && error.stack ? { stack: boundedText(error.stack, options.redact) } : {}),
  };
}
