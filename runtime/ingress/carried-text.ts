/**
 * What parses as JSON and still must not go further: text that Postgres or UTF-8 cannot carry, keys that reach for
 * prototypes.
 *
 * In: a parsed value, nested no deeper than the codec allows. Out: each offending field. Never here: repairing.
 */
import { MOST_FIELD_ERRORS, problem, type FieldError } from "./problem.ts";

const NUL = "must not contain U+0000 (NUL)";
const SURROGATE = "must not contain lone surrogates: it is no valid Unicode";
const PROTOTYPE = "is a name that cannot be used for a field";

/** Every field whose text cannot be carried, at most 100. Empty when all is well. */
export function uncarried(value: unknown): readonly FieldError[] {
  return visited(value, {
    text: wrongIn,
    name: (_, key) => {
      const wrong = wrongIn(key);
      return wrong === null ? null : `its name ${wrong}`;
    },
  });
}

/** The refusal of such fields. */
export function uncarriable(errors: readonly FieldError[]): Response {
  return problem(400, { title: "The body holds text that cannot be carried", errors });
}

/** Every field whose name reaches for a prototype, at most 100. Empty when all is well. */
export function reaching(value: unknown): readonly FieldError[] {
  return visited(value, {
    text: () => null,
    name: (owner, key) => (reachesForPrototype(owner, key) ? PROTOTYPE : null),
  });
}

/** What is wrong with a text, with a field's name; null for nothing. */
interface Complaints {
  readonly text: (text: string) => string | null;
  readonly name: (owner: object, key: string) => string | null;
}

function visited(value: unknown, complaints: Complaints): readonly FieldError[] {
  const errors: FieldError[] = [];
  visit({ value, field: "" }, complaints, errors);
  return errors;
}

function visit(
  { value, field }: { readonly value: unknown; readonly field: string },
  complaints: Complaints,
  errors: FieldError[],
): void {
  if (errors.length >= MOST_FIELD_ERRORS) return;
  if (typeof value === "string") {
    const message = complaints.text(value);
    if (message !== null) errors.push({ field, message });
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries())
      visit({ value: item, field: below(field, String(index)) }, complaints, errors);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      const path = below(field, showable(key));
      const message = complaints.name(value, key);
      if (message === null) visit({ value: item, field: path }, complaints, errors);
      else errors.push({ field: path, message });
    }
  }
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
