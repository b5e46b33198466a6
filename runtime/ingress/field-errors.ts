/**
 * Which fields did a schema refuse, and why?
 *
 * In: Elysia's validation error. Out: one entry per field. Elysia 1.4.30 joins the path objects of a Standard Schema into
 * "[object Object]", so the schema is asked again.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { ValidationError } from "elysia";
import type { FieldError } from "./problem.ts";

/** The fields, in the schema's order; one entry for the whole when nothing better is known. */
export async function fieldErrors(error: Readonly<ValidationError>): Promise<readonly FieldError[]> {
  const schema = standardSchemaOf(error.validator);
  const result = await schema?.["~standard"].validate(error.value);
  const found = result?.issues ? result.issues.map(issueField) : error.all.map(summaryField);
  return found.length > 0 ? found : [{ field: "", message: "is not valid" }];
}

function standardSchemaOf(validator: unknown): StandardSchemaV1 | null {
  if (isStandardSchema(validator)) return validator;
  if (typeof validator !== "object" || validator === null || !("schema" in validator)) return null;
  return isStandardSchema(validator.schema) ? validator.schema : null;
}

function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") && "~standard" in value
  );
}

function issueField({ path = [], message }: StandardSchemaV1.Issue): FieldError {
  const keys = path.map((segment) => String(typeof segment === "object" ? segment.key : segment));
  return { field: keys.join("."), message };
}

/** TypeBox's form: a JSON pointer and a summary. */
function summaryField(summary: unknown): FieldError {
  const of = (name: "path" | "message") => {
    const text: unknown =
      typeof summary === "object" && summary !== null ? Reflect.get(summary, name) : undefined;
    return typeof text === "string" ? text : "";
  };
  return {
    field: of("path").replace(/^\//, "").replaceAll("/", "."),
    message: of("message") || "is not valid",
  };
}
