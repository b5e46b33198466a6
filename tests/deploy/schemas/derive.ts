/**
 * Derives the schemas beside this file: `bun tests/deploy/schemas/derive.ts`, where Go is installed. Run when a version changes.
 *
 * In: the pinned Go modules of Kubernetes (its swagger file), KEDA (its CRDs) and compose-go (the Compose Specification). Out: a
 * file each (read.ts) with what our files use of them, and nothing that only explains. An object with named fields allows no
 * others; what a schema leaves open stays open. Never here: checking anything with them (../schema-check.ts).
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";

const MODULES = {
  kubernetes: "k8s.io/kubernetes@v1.37.2",
  keda: "github.com/kedacore/keda/v2@v2.21.0",
  compose: "github.com/compose-spec/compose-go/v2@v2.16.1",
} as const;

const KINDS: Readonly<Record<string, string>> = {
  ConfigMap: "io.k8s.api.core.v1.ConfigMap",
  Deployment: "io.k8s.api.apps.v1.Deployment",
  Job: "io.k8s.api.batch.v1.Job",
  Namespace: "io.k8s.api.core.v1.Namespace",
  NetworkPolicy: "io.k8s.api.networking.v1.NetworkPolicy",
  PodDisruptionBudget: "io.k8s.api.policy.v1.PodDisruptionBudget",
  Service: "io.k8s.api.core.v1.Service",
  ServiceAccount: "io.k8s.api.core.v1.ServiceAccount",
};
const CUSTOM_KINDS = ["scaledobjects", "triggerauthentications"];
const METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/** Written by the cluster, never by a file of ours. */
const WRITTEN_BY_THE_CLUSTER = ["status", "managedFields"];

/** Kubernetes's own words for types that its swagger file calls texts. */
const SPECIAL: Readonly<Record<string, Schema>> = {
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": { type: ["integer", "string"] },
  "io.k8s.apimachinery.pkg.api.resource.Quantity": {
    anyOf: [
      { type: "number", minimum: 0 },
      { type: "string", pattern: "^[+-]?(\\d+|\\d+\\.\\d*|\\.\\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\\d+)?$" },
    ],
  },
};

type Schema = Readonly<Record<string, unknown>>;
const KEPT = new Set(
  "$ref additionalProperties allOf anyOf enum items maximum maxItems maxLength minimum minItems minLength oneOf pattern patternProperties properties required type uniqueItems".split(
    " ",
  ),
);
/** Keywords under which schemas stand by names of their own. */
const NAMED = new Set(["properties", "patternProperties", "$defs"]);

/** A schema without words, closed where it names its fields. */
function bare(schema: Schema): Schema {
  const special = schema["x-kubernetes-int-or-string"] === true ? { type: ["integer", "string"] } : {};
  const entries = Object.entries(schema)
    .filter(([key]) => KEPT.has(key))
    .map(([key, value]) => [key, NAMED.has(key) ? mapFields(value, bare) : bareValue(value)] as const);
  const result: Record<string, unknown> = { ...Object.fromEntries(entries), ...special };
  if (special.type !== undefined) delete result["anyOf"];
  const open = "additionalProperties" in result || schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (result["properties"] !== undefined && !open) result["additionalProperties"] = false;
  return result;
}

function bareValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one: unknown) => bareValue(one));
  if (typeof value !== "object" || value === null) return shortened(value);
  return bare(value as Schema);
}

/** "#/definitions/io.k8s.api.core.v1.Container" → "#/$defs/io.k8s.api.core.v1.Container". */
const shortened = (value: unknown) =>
  typeof value === "string" ? value.replace(/^#\/definitions\//, "#/$defs/") : value;

function mapFields(fields: unknown, map: (schema: Schema) => Schema): Record<string, Schema> {
  return Object.fromEntries(
    Object.entries(fields as Record<string, Schema>)
      .filter(([name]) => !WRITTEN_BY_THE_CLUSTER.includes(name))
      .map(([name, schema]) => [name, map(schema)]),
  );
}

/** Those definitions that the first ones lead to. */
function reachable(names: readonly string[], definitions: Readonly<Record<string, Schema>>) {
  const found: Record<string, Schema> = {};
  const visit = (name: string) => {
    if (name in found) return;
    found[name] = SPECIAL[name] ?? bare(definitions[name] ?? {});
    for (const [, next = ""] of JSON.stringify(found[name]).matchAll(/"#\/\$defs\/([^"]+)"/g)) visit(next);
  };
  for (const name of names) visit(name);
  return found;
}

async function moduleFolder(module: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "cauce-derive-"));
  try {
    const { Dir } = (await $`go mod download -json ${module}`.cwd(folder).json()) as { Dir: string };
    return Dir;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A line that says what it is, then a definition a line, so that a change of version can be read. */
function save(name: keyof typeof MODULES, root: Schema, definitions: Readonly<Record<string, Schema>>): void {
  const lines = Object.entries(definitions).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const path = join(import.meta.dir, `${name}.jsonl`);
  const text = [{ source: MODULES[name], ...root }, ...lines].map((line) => `${JSON.stringify(line)}\n`);
  writeFileSync(path, text.join(""));
  process.stdout.write(`${path}: ${lines.length} definitions\n`);
}

const kubernetes = await moduleFolder(MODULES.kubernetes);
const swagger = JSON.parse(readFileSync(join(kubernetes, "api/openapi-spec/swagger.json"), "utf8")) as {
  definitions: Record<string, Schema>;
};
save("kubernetes", { kinds: KINDS }, reachable([...Object.values(KINDS), METADATA], swagger.definitions));

const keda = await moduleFolder(MODULES.keda);
const custom: Record<string, Schema> = {};
for (const plural of CUSTOM_KINDS) {
  const text = readFileSync(join(keda, `config/crd/bases/keda.sh_${plural}.yaml`), "utf8");
  const { spec } = Bun.YAML.parse(text) as {
    spec: { names: { kind: string }; versions: { schema: { openAPIV3Schema: Schema } }[] };
  };
  const schema = bare(spec.versions[0]?.schema.openAPIV3Schema ?? {});
  // Kubernetes checks metadata itself, whatever a CRD says.
  custom[spec.names.kind] = { ...schema, properties: { ...(schema["properties"] as Schema), metadata: {} } };
}
save("keda", { kinds: Object.fromEntries(Object.keys(custom).map((kind) => [kind, kind])) }, custom);

const compose = await moduleFolder(MODULES.compose);
const specification = JSON.parse(readFileSync(join(compose, "schema/compose-spec.json"), "utf8")) as Schema;
const { $defs, ...top } = specification;
const parts = $defs as Readonly<Record<string, Schema>>;
save(
  "compose",
  { top: bare(top) },
  mapFields(parts, (schema) => bare(joined(schema, parts))),
);

/** "No field but those of these parts and these": one schema with all of them. Other objects of compose say by themselves what they allow. */
function joined(schema: Schema, definitions: Readonly<Record<string, Schema>>): Schema {
  const { allOf, unevaluatedProperties, ...own } = schema;
  if (unevaluatedProperties !== false) return { additionalProperties: true, ...schema };
  const all = [
    ...(allOf as readonly Schema[]).map(({ $ref }) => definitions[String($ref).slice(8)] ?? {}),
    own,
  ];
  const fields = (name: string) => Object.assign({}, ...all.map((one) => one[name] ?? {})) as Schema;
  const properties = fields("properties");
  const patternProperties = fields("patternProperties");
  return { ...own, properties, patternProperties, additionalProperties: false };
}
