/**
 * A valibot schema as data, for a reader in another language.
 *
 * In: a schema of those forms that the topics use. Out: the same as plain JSON. A form that is not known here is refused, so that
 * a schema cannot be described by half. Never here: checking values.
 */

export type Description =
  | { readonly type: "object"; readonly entries: Readonly<Record<string, Description>> }
  | { readonly type: "record"; readonly value: Description }
  | { readonly type: "array"; readonly item: Description }
  | { readonly type: "optional"; readonly wrapped: Description }
  | { readonly type: "boolean" }
  | { readonly type: "string"; readonly pattern?: { readonly source: string; readonly message: string } }
  | { readonly type: "number"; readonly integer?: true; readonly least?: number };

/** @throws Error that names a form which has no description. */
export function describeSchema(schema: unknown): Description {
  const { type } = fields(schema);
  const { entries, value, item, wrapped, pipe } = fields(schema);
  switch (type) {
    case "loose_object":
      return {
        type: "object",
        entries: Object.fromEntries(
          Object.entries(fields(entries)).map(([name, entry]) => [name, describeSchema(entry)]),
        ),
      };
    case "record":
      return { type: "record", value: describeSchema(value) };
    case "array":
      return { type: "array", item: describeSchema(item) };
    case "optional":
      if (fields(schema)["default"] !== undefined) throw unknownForm("optional with a default");
      return { type: "optional", wrapped: describeSchema(wrapped) };
    case "boolean":
      return { type: "boolean" };
    case "string":
      return { type: "string", ...Object.assign({}, ...actionsOf(pipe).map(describeAction)) };
    case "number":
      return { type: "number", ...Object.assign({}, ...actionsOf(pipe).map(describeAction)) };
    default:
      throw unknownForm(String(type));
  }
}

function describeAction(action: unknown): Record<string, unknown> {
  const { type, requirement, message } = fields(action);
  if (type === "integer" && message === undefined) return { integer: true };
  if (type === "min_value" && typeof requirement === "number" && message === undefined)
    return { least: requirement };
  if (
    type === "regex" &&
    requirement instanceof RegExp &&
    typeof message === "string" &&
    requirement.flags === ""
  )
    return { pattern: { source: requirement.source.replace(/^\^|\$$/g, ""), message } };
  throw unknownForm(String(type));
}

/** What stands in a pipe behind the schema itself. */
function actionsOf(pipe: unknown): readonly unknown[] {
  return Array.isArray(pipe) ? pipe.slice(1) : [];
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw unknownForm(typeof value);
  return value as Readonly<Record<string, unknown>>;
}

function unknownForm(form: string): Error {
  return new Error(`no description is known for the schema form ${form}: values.py must learn it first`);
}
