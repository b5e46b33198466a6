/**
 * Reading what a YAML file says, whatever it says: what is missing or of another type is empty, and rules then find it wanting.
 *
 * In: a parsed value. Out: fields, a list, a text. Never here: judging them.
 */

export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** Numbers and the like as they would stand in the file. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}
