/**
 * Values against their topic's schema. Synchronous schemas cost no turn of the loop.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { CauceError } from "../ground/errors.ts";
import type { AnyTopic } from "../handler/topic.ts";

/** More issues than this are counted, not listed. */
const MOST_ISSUES = 5;

/**
 * The schema's output for a value.
 * @throws CauceError `invalid_value` that names each field with what is wrong.
 */
export function validate(topic: AnyTopic, value: unknown): unknown {
  const result = topic.schema["~standard"].validate(value);
  return result instanceof Promise
    ? result.then((settled) => outputOf(topic, settled))
    : outputOf(topic, result);
}

function outputOf(topic: AnyTopic, result: StandardSchemaV1.Result<unknown>): unknown {
  if (result.issues === undefined) return result.value;
  const listed = result.issues.slice(0, MOST_ISSUES).map((issue) => `${pathOf(issue)}: ${issue.message}`);
  const more = result.issues.length - listed.length;
  throw new CauceError(
    "invalid_value",
    `not a value of ${topic.name}: ${listed.join("; ")}${more > 0 ? ` (and ${more} more)` : ""}`,
  );
}

function pathOf(issue: StandardSchemaV1.Issue): string {
  const path = issue.path ?? [];
  return path.map((part) => String(typeof part === "object" ? part.key : part)).join(".") || "value";
}
