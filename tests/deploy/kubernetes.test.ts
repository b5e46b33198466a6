/** deploy/kubernetes fits Kubernetes's and KEDA's schemas and keeps our rules; each kind of mistake is planted once and found. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import app from "../../handlers/shared/app.ts";
import { settings } from "../../handlers/shared/settings.ts";
import { runtimeSettings } from "../../runtime/config/runtime-settings.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { loadProject } from "../../runtime/main/project.ts";
import { renderKustomization, type Document } from "./kustomize.ts";
import { findManifestFaults } from "./manifests.ts";
import { findSchemaFaults, type Definitions } from "./schema-check.ts";
import { readSchemas } from "./schemas/read.ts";

const root = join(import.meta.dir, "../..");
const folder = join(root, "deploy/kubernetes");
const overlays = ["base", ...readdirSync(join(folder, "overlays")).map((name) => `overlays/${name}`)];

const builtIn = readSchemas("kubernetes");
const schemas = [builtIn, readSchemas("keda")];
const METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

const known = [...Object.values(runtimeSettings), ...Object.values(settings)].map(({ env }) => env);
const { handlers } = await loadProject(root);
const facts = handlers.map((handler) => {
  const { group, retryTopic } = namesFor(app.name, handler);
  return {
    name: handler.name,
    group,
    topics: [handler.on.name, retryTopic],
    partitions: handler.on.partitions,
  };
});

function schemaFaults(document: Document): string[] {
  const { kind, metadata } = document;
  const set = schemas.find(({ kinds }) => kind in kinds);
  if (set === undefined) return [`${kind} is a kind without a schema: add it to schemas/derive.ts`];
  const check = (name: string, value: unknown, definitions: Definitions) =>
    findSchemaFaults({ $ref: `#/$defs/${name}` }, value, definitions);
  return [
    ...check(set.kinds[kind] ?? "", document, set.definitions),
    ...check(METADATA, metadata, builtIn.definitions),
  ].map((fault) => `${kind} ${metadata.name}: ${fault}`);
}

const ruleFaults = (documents: readonly Document[]) =>
  findManifestFaults({ documents, settings: known, handlers: facts });

describe.each(overlays)("%s", (overlay) => {
  const documents = renderKustomization(join(folder, overlay));

  test("fits the schemas, with no field that they do not know", () => {
    expect(documents.flatMap(schemaFaults)).toEqual([]);
  });

  test("keeps our rules", () => {
    expect(ruleFaults(documents)).toEqual([]);
  });

  test("names every object once", () => {
    const names = documents.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  const kubectl = Bun.which("kubectl");
  const title = "is rendered as `kubectl kustomize` renders it";
  test.skipIf(kubectl === null)(
    kubectl === null ? `${title} (skipped because kubectl is not installed)` : title,
    () => {
      const { stdout, stderr, exitCode } = Bun.spawnSync(["kubectl", "kustomize", join(folder, overlay)]);
      expect(exitCode, stderr.toString()).toBe(0);
      const theirs = stdout
        .toString()
        .split(/^---$/m)
        .map((text) => Bun.YAML.parse(text) as Document);
      expect(byName(documents)).toEqual(byName(theirs));
    },
  );
});

const byName = (documents: readonly Document[]) =>
  Object.fromEntries(documents.map((one) => [`${one.kind} ${one.metadata.name}`, one]));

describe("planted mistakes", () => {
  const production = renderKustomization(join(folder, "overlays/production"));
  const text = JSON.stringify(production);

  /** All documents with a piece of their text changed; fails when there is nothing to change. */
  function changed(from: string, to: string): Document[] {
    expect(text).toContain(from);
    return JSON.parse(text.replace(from, () => to)) as Document[];
  }

  test.each([
    ['"minReplicaCount":0', '"minReplicas":0', 'there is no field "minReplicas"'],
    ['"readinessProbe":', '"readynessProbe":', 'there is no field "readynessProbe"'],
    ['"maxUnavailable":1', '"maxUnavailabe":1', 'there is no field "maxUnavailabe"'],
    ['"periodSeconds":2,', '"periodSeconds":"2s",', 'expected integer, found "2s"'],
    ['"containerPort":8000', '"containerPort":"8000"', 'expected integer, found "8000"'],
    ['"memory":"512Mi"', '"memory":"512 MB"', "does not fit"],
    ['"runAsNonRoot":true', '"runAsNonRoot":"yes"', 'expected boolean, found "yes"'],
    ['"pollingInterval":15', '"pollingInterval":"15s"', 'expected integer, found "15s"'],
    ['"lagThreshold":"100"', '"lagThreshold":100', "expected string, found 100"],
    ['"cooldownPeriod":300', '"coolDownPeriod":300', 'there is no field "coolDownPeriod"'],
    ['"name":"worker","labels"', '"nmae":"worker","labels"', 'there is no field "nmae"'],
    ['"DRAIN_MS":"10000"', '"DRAIN_MS":10000', "expected string, found 10000"],
    ['"scaleTargetRef":{"name":"worker"},', "", "scaleTargetRef is missing"],
    ['"backoffLimit":4', '"backoffLimit":4.5', "expected integer, found 4.5"],
    ['"kind":"Deployment"', '"kind":"Deploymint"', "a kind without a schema"],
  ])("%p → %p is refused by the schema", (from, to, complaint) => {
    expect(changed(from, to).flatMap(schemaFaults).join("\n")).toContain(complaint);
  });

  test.each([
    ['"runAsNonRoot":true', '"runAsNonRoot":false', "it may run as root"],
    ['"readOnlyRootFilesystem":true', '"readOnlyRootFilesystem":false', "it may write to its image"],
    ['"drop":["ALL"]', '"drop":[]', "it keeps capabilities"],
    ['"allowPrivilegeEscalation":false', '"allowPrivilegeEscalation":true', "become more than it is"],
    ['"type":"RuntimeDefault"', '"type":"Unconfined"', "no seccomp profile"],
    [
      '"automountServiceAccountToken":false,"enable',
      '"automountServiceAccountToken":true,"enable',
      "a token",
    ],
    ['"limits":{"memory":"512Mi"}', '"limits":{"cpu":"1"}', "its memory has no limit"],
    ['"path":"/readyz"', '"path":"/healthz"', "its readinessProbe does not ask /readyz"],
    ['"terminationGracePeriodSeconds":30', '"terminationGracePeriodSeconds":15', "needs 25 s to drain"],
    ['"DRAIN_MS":"10000"', '"DRAIN_MS":"60000"', "needs 75 s to drain"],
    ['"lifecycle":', '"unused":', "no preStop"],
    ['"kind":"PodDisruptionBudget"', '"kind":"ConfigMap"', "it has no disruption budget"],
    ['"value":"llm.requests"', '"value":"llm.request"', "nothing runs llm.requests"],
    ['"value":"llm.errors"', '"value":"llm.failed"', "llm.failed is run by two Deployments"],
    ['"name":"STATE_DIR"', '"name":"STATE_FOLDER"', "STATE_FOLDER is none of our settings"],
    ['"LLM_MODEL":', '"LLM_MODLE":', "LLM_MODLE is none of our settings"],
    ['"LLM_MODEL":', '"LLM_API_KEY":', "LLM_API_KEY is a secret"],
    ['"name":"LLM_API_KEY","valueFrom"', '"name":"LLM_API_KEY","value":"sk","valueFrom"', "holds a secret"],
    ['"name":"cauce-settings"}}]', '"name":"settings"}}]', "ConfigMap settings, which is not there"],
    ['"topic":"llm.requests.llm.requests.retry"', '"topic":"llm.requests.retry"', "does not wake it"],
    ['"consumerGroup":"llm.llm.requests"', '"consumerGroup":"llm.requests"', "does not wake it"],
    ["topic IN ('llm.requests'", "topic IN ('llm.request'", "the schedule of llm.requests does not wake it"],
    ['"minReplicaCount":0', '"minReplicaCount":1', "does not scale to nothing"],
    ['"maxReplicaCount":12', '"maxReplicaCount":13', "has 12 partitions only"],
    ['"authenticationRef":{"name":"schedule"}', '"authenticationRef":{"name":"schedules"}', "is not there"],
    ['"scaleTargetRef":{"name":"worker"}', '"scaleTargetRef":{"name":"workers"}', "which is not there"],
    ['"policyTypes":["Ingress","Egress"]', '"policyTypes":["Ingress"]', "is not refused"],
    ['enforce":"restricted"', 'enforce":"baseline"', "pod security is not restricted"],
  ])("%p → %p breaks a rule", (from, to, complaint) => {
    expect(ruleFaults(changed(from, to)).join("\n")).toContain(complaint);
  });
});
