/**
 * Reads what derive.ts has written.
 *
 * In: the name of a file beside this one. Out: its definitions, and what its first line says. Never here: checking with them.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Definitions, Schema } from "../schema-check.ts";

export interface SchemaFile {
  /** The module and version that it was derived from. */
  readonly source: string;
  /** Of Kubernetes and KEDA: kind → definition. */
  readonly kinds: Readonly<Record<string, string>>;
  /** Of compose: the schema of a whole file. */
  readonly top: Schema;
  readonly definitions: Definitions;
}

export function readSchemas(name: "compose" | "keda" | "kubernetes"): SchemaFile {
  const [first = "{}", ...lines] = readFileSync(join(import.meta.dir, `${name}.jsonl`), "utf8")
    .trim()
    .split("\n");
  const { source = "", kinds = {}, top = {} } = JSON.parse(first) as Partial<SchemaFile>;
  const definitions = Object.fromEntries(lines.map((line) => JSON.parse(line) as [string, Schema]));
  return { source, kinds, top, definitions };
}
