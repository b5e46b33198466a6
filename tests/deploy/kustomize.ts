/**
 * As much of Kustomize as deploy/kubernetes uses, so that what is checked is what would be applied, on any machine.
 *
 * In: a folder with a kustomization.yaml. Out: the documents, patched and labelled. A field of a kustomization that is not known
 * here is an error. Never here: generators, name prefixes, JSON patches. A test holds this against `kubectl kustomize`.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Fields } from "./fields.ts";

export interface Document extends Fields {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: Fields & { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

interface Kustomization {
  readonly apiVersion: string;
  readonly kind: "Kustomization" | "Component";
  readonly namespace?: string;
  readonly labels?: readonly { readonly pairs: Readonly<Record<string, string>> }[];
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly images?: readonly { readonly name: string; readonly newName: string; readonly newTag: string }[];
  readonly patches?: readonly {
    readonly path: string;
    readonly target?: { readonly kind: string };
  }[];
}

const KNOWN = "apiVersion kind namespace labels resources components images patches".split(" ");
/** Lists whose items have names: a patch changes those of the same name. All other lists it replaces. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  containers: "name",
  env: "name",
  ports: "containerPort",
  volumes: "name",
  volumeMounts: "mountPath",
  topologySpreadConstraints: "topologyKey",
};
const WITHOUT_NAMESPACE = ["Namespace"];

/** What `kubectl apply -k` would apply. @throws Error for a file that is missing, or for what is not known here. */
export function renderKustomization(folder: string): Document[] {
  return render(folder, []);
}

function render(folder: string, before: readonly Document[]): Document[] {
  const file = readKustomization(folder);
  let documents = [...before, ...(file.resources ?? []).flatMap((path) => readResource(join(folder, path)))];
  for (const path of file.components ?? []) documents = render(join(folder, path), documents);
  for (const { path, target } of file.patches ?? []) {
    const patch = readDocuments(join(folder, path))[0];
    if (patch === undefined) throw new Error(`${path} is empty`);
    const isMeant = ({ kind, metadata: { name } }: Document) =>
      target === undefined ? kind === patch.kind && name === patch.metadata.name : kind === target.kind;
    if (!documents.some(isMeant)) throw new Error(`${path} changes nothing`);
    documents = documents.map((one) => (isMeant(one) ? patched(one, patch) : one));
  }
  return documents.map((one) => transformed(one, file));
}

function readKustomization(folder: string): Kustomization {
  const path = join(folder, "kustomization.yaml");
  const file = Bun.YAML.parse(readFileSync(path, "utf8")) as Kustomization;
  const unknown = Object.keys(file).filter((field) => !KNOWN.includes(field));
  if (unknown.length > 0) throw new Error(`${path}: ${unknown.join(", ")} is not known here`);
  return file;
}

function readResource(path: string): Document[] {
  return existsSync(join(path, "kustomization.yaml")) ? render(path, []) : readDocuments(path);
}

function readDocuments(path: string): Document[] {
  return [Bun.YAML.parse(readFileSync(path, "utf8")) as Document | Document[]].flat();
}

/** Kind, version and name stay. Of kinds that Kubernetes does not know, it cannot know which lists have names. */
function patched(document: Document, patch: Document): Document {
  const { kind, apiVersion } = document;
  const metadata = { ...patch.metadata, name: document.metadata.name };
  const fields = { ...patch, metadata, kind, apiVersion };
  const isCustom = apiVersion.includes(".") && !apiVersion.includes(".k8s.io/");
  return merged(document, fields, !isCustom) as Document;
}

/** Fields are merged, named items of lists too where the kind is Kubernetes's own; what the patch says comes first. */
function merged(base: unknown, patch: unknown, byName: boolean, field = ""): unknown {
  if (Array.isArray(base) && Array.isArray(patch)) {
    const key = byName ? MERGE_KEYS[field] : undefined;
    if (key === undefined) return patch;
    const items = base as readonly Fields[];
    const changes = patch as readonly Fields[];
    const same = (a: Fields) => (b: Fields) => a[key] === b[key];
    return [
      ...changes.map((change) => merged(items.find(same(change)) ?? {}, change, byName)),
      ...items.filter((item) => !changes.some(same(item))),
    ];
  }
  if (!isFields(base) || !isFields(patch)) return patch;
  const names = new Set([...Object.keys(base), ...Object.keys(patch)]);
  return Object.fromEntries(
    [...names].map((name) => [
      name,
      name in patch ? merged(base[name], patch[name], byName, name) : base[name],
    ]),
  );
}

function transformed(document: Document, file: Kustomization): Document {
  const { namespace, labels = [], images = [] } = file;
  const metadata: Record<string, unknown> = { ...document.metadata };
  if (namespace !== undefined) {
    if (WITHOUT_NAMESPACE.includes(document.kind)) metadata["name"] = namespace;
    else metadata["namespace"] = namespace;
  }
  if (labels.length > 0) {
    metadata["labels"] = Object.assign({}, document.metadata.labels, ...labels.map(({ pairs }) => pairs));
  }
  return withImages({ ...document, metadata }, images) as Document;
}

function withImages(value: unknown, images: NonNullable<Kustomization["images"]>): unknown {
  if (Array.isArray(value)) return value.map((one: unknown) => withImages(one, images));
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => {
      const image = name === "image" ? images.find((one) => one.name === field) : undefined;
      return [name, image ? `${image.newName}:${image.newTag}` : withImages(field, images)];
    }),
  );
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
