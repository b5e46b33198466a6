/**
 * What parses as JSON and still must not go further: text that Postgres or UTF-8 cannot carry, keys that reach for
 * prototypes.
 *
 * In: a parsed value, nested no deeper than the codec allows. Out: each offending field. Never here: repairing.
 */
import { MOST_FIELD_ERRORS, type FieldError } from "./problem.ts";

const NUL = "must not contain U+0000 (NUL)";
const SURROGATE = "must not contain lone surrogates: it is no valid Unicode";
const PROTOTYPE = "is a name that cannot be used for a field";

/** Every field that cannot be carried, at most 100. Empty when all is well. */
export function uncarried(value: unknown): readonly FieldError[] {
  const errors: FieldError[] = [];
  visit(value, "", errors);
  return errors;
}

function visit(value: unknown, field: string, errors: FieldError[]): void {
  if (errors.length >= MOST_FIELD_ERRORS) return;
  if (typeof value === "string") {
    const message = wrongIn(value);
    if (message !== null) errors.push({ field, message });
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) visit(item, below(field, String(index)), errors);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) visitField(value, { key, item, field }, errors);
  }
}

function visitField(
  owner: object,
  { key, item, field }: { readonly key: string; readonly item: unknown; readonly field: string },
  errors: FieldError[],
): void {
  const path = below(field, showable(key));
  const message = wrongIn(key);
  if (message !== null) errors.push({ field: path, message: `its name ${message}` });
  else if (reachesForPrototype(owner, key)) errors.push({ field: path, message: PROTOTYPE });
  else visit(item, path, errors);
}

function wrongIn(text: string): string | null {
  if (text.includes("\u0000")) return NUL;
  return text.isWellFormed() ? null : SURROGATE;
}

/** `__proto__` anywhere, and `constructor` only where it holds a `prototype`: as a word it is a fine field. */
function reachesForPrototype(owner: object, key: string): boolean {
  if (key === "__proto__") return true;
  if (key !== "constructor") return false;
  const inner: unknown = Object.getOwnPropertyDescriptor(owner, key)?.value;
  return typeof inner === "object" && inner !== null && Object.hasOwn(inner, "prototype");
}

function below(field: string, key: string): string {
  return field === "" ? key : `${field}.${key}`;
}

/** A key as it may stand in an answer. */
function showable(key: string): string {
  return key.toWellFormed().replaceAll("\u0000", "\uFFFD");
}
