/**
 * The rules that our Kubernetes manifests keep, beyond their schemas.
 *
 * In: rendered documents, our settings, our handlers' names. Out: every rule that is broken, as a sentence. Never here: schemas
 * (schema-check.ts), rendering (kustomize.ts).
 */
import { fieldsOf, listOf, textOf } from "./fields.ts";
import type { Document } from "./kustomize.ts";
import { containersOf, graceFaults, podFaults, podOf, probeFaults } from "./pods.ts";

export interface ManifestOptions {
  readonly documents: readonly Document[];
  /** Environment variables that our own processes know. */
  readonly settings: readonly string[];
  readonly handlers: readonly HandlerFacts[];
}

export interface HandlerFacts {
  readonly name: string;
  readonly group: string;
  /** The topics that it reads: its own and that of its retries. */
  readonly topics: readonly string[];
  readonly partitions: number;
}

/** Names whose values are secret, whoever reads them. */
const SECRET_NAME = /PASSWORD|TOKEN|SECRET|API_KEY|CREDENTIAL|DATABASE.*URL/;

/** Every broken rule; none in manifests that are as they should be. */
export function findManifestFaults(options: ManifestOptions): string[] {
  const of = (kind: string) => options.documents.filter((one) => one.kind === kind);
  const pods = [...of("Deployment"), ...of("Job")];
  return [
    ...pods.flatMap((one) => [...podFaults(one), ...environmentFaults(one, options)].map(named(one))),
    ...of("Deployment").flatMap((one) =>
      [
        ...probeFaults(one),
        ...graceFaults(one, drainSecondsOf(options)),
        ...companionFaults(one, options),
      ].map(named(one)),
    ),
    ...roleFaults(of("Deployment"), options),
    ...of("ConfigMap").flatMap((one) => settingFaults(one, options).map(named(one))),
    ...of("ScaledObject").flatMap((one) => scalingFaults(one, options).map(named(one))),
    ...networkFaults(of("NetworkPolicy")),
    ...namespaceFaults(of("Namespace")),
    ...(of("Secret").length > 0 ? ["a Secret stands in a file"] : []),
  ];
}

const named =
  ({ kind, metadata: { name } }: Document) =>
  (fault: string) =>
    `${kind} ${name}: ${fault}`;

/** Every role has a budget for disruptions and is spread; the door, which has callers, leaves its Service before it stops. */
function companionFaults(document: Document, { documents }: ManifestOptions): string[] {
  const labels = JSON.stringify(fieldsOf(fieldsOf(document["spec"])["selector"])["matchLabels"]);
  const selects = (one: Document) =>
    JSON.stringify(fieldsOf(fieldsOf(one["spec"])["selector"])["matchLabels"]) === labels;
  const hasDoor = runOf(document).includes("ingress");
  const leaves = containersOf(document).every(
    (container) => fieldsOf(container["lifecycle"])["preStop"] !== undefined,
  );
  return [
    ...(documents.some((one) => one.kind === "PodDisruptionBudget" && selects(one))
      ? []
      : ["it has no disruption budget"]),
    ...(listOf(podOf(document)["topologySpreadConstraints"]).length > 0 ? [] : ["it is not spread"]),
    ...(hasDoor && !leaves ? ["it stops while requests still come: no preStop"] : []),
  ];
}

/** The door, the scheduler and each handler: in one Deployment each. */
function roleFaults(deployments: readonly Document[], { handlers }: ManifestOptions): string[] {
  const wanted = ["ingress", "scheduler", ...handlers.map(({ name }) => name)];
  const run = deployments.flatMap(runOf);
  return [
    ...wanted.filter((name) => !run.includes(name)).map((name) => `nothing runs ${name}`),
    ...run.filter((name) => !wanted.includes(name)).map((name) => `${name} is run and is no part`),
    ...run
      .filter((name, index) => run.indexOf(name) !== index)
      .map((name) => `${name} is run by two Deployments`),
  ];
}

function environmentFaults(document: Document, options: ManifestOptions): string[] {
  return containersOf(document).flatMap((container) => [
    ...listOf(container["env"]).flatMap((entry) => {
      const { name, value } = fieldsOf(entry);
      const variable = textOf(name);
      return [
        ...(options.settings.includes(variable) ? [] : [`${variable} is none of our settings`]),
        ...(SECRET_NAME.test(variable) && value !== undefined
          ? [`${variable} holds a secret in the file`]
          : []),
      ];
    }),
    ...listOf(container["envFrom"])
      .map((entry) => textOf(fieldsOf(fieldsOf(entry)["configMapRef"])["name"]))
      .filter(
        (name) => !options.documents.some((one) => one.kind === "ConfigMap" && one.metadata.name === name),
      )
      .map((name) => `it reads the ConfigMap ${name}, which is not there`),
  ]);
}

function settingFaults(document: Document, { settings }: ManifestOptions): string[] {
  return Object.keys(fieldsOf(document["data"])).flatMap((name) => [
    ...(settings.includes(name) ? [] : [`${name} is none of our settings`]),
    ...(SECRET_NAME.test(name) ? [`${name} is a secret`] : []),
  ]);
}

/** A handler is woken by each topic that it reads and by its rows of the schedule, and sleeps without them. */
function scalingFaults(document: Document, { documents, handlers }: ManifestOptions): string[] {
  const spec = fieldsOf(document["spec"]);
  const target = textOf(fieldsOf(spec["scaleTargetRef"])["name"]);
  const deployment = documents.find(
    ({ kind, metadata }) => kind === "Deployment" && metadata.name === target,
  );
  if (deployment === undefined) return [`it scales ${target}, which is not there`];
  const replicas = fieldsOf(deployment["spec"])["replicas"];
  const triggers = listOf(spec["triggers"]).map(fieldsOf);
  const metadataOf = (type: string) =>
    triggers.filter((trigger) => trigger["type"] === type).map((trigger) => fieldsOf(trigger["metadata"]));
  const authentications = documents.filter(({ kind }) => kind === "TriggerAuthentication");
  return [
    ...(replicas === undefined ? [] : [`${target} has replicas of its own, which every apply would restore`]),
    ...triggers
      .map((trigger) => fieldsOf(trigger["authenticationRef"])["name"])
      .filter((name) => name !== undefined && !authentications.some((one) => one.metadata.name === name))
      .map((name) => `it uses the authentication ${textOf(name)}, which is not there`),
    ...handlers
      .filter(({ name }) => runOf(deployment).includes(name))
      .flatMap(({ name, group, topics, partitions }) => [
        ...(spec["minReplicaCount"] === 0 ? [] : [`${name} does not scale to nothing`]),
        ...(Number(spec["maxReplicaCount"]) <= partitions
          ? []
          : [`${name} has ${partitions} partitions only`]),
        ...topics
          .filter(
            (topic) =>
              !metadataOf("kafka").some((one) => one["topic"] === topic && one["consumerGroup"] === group),
          )
          .map((topic) => `the lag of ${group} on ${topic} does not wake it`),
        ...(metadataOf("postgresql").some(({ query }) =>
          topics.every((topic) => textOf(query).includes(`'${topic}'`)),
        )
          ? []
          : [`the schedule of ${name} does not wake it`]),
      ]),
  ];
}

/** One policy closes all pods in both directions. */
function networkFaults(policies: readonly Document[]): string[] {
  const closed = policies.some(({ spec }) => {
    const { podSelector, policyTypes, ingress, egress } = fieldsOf(spec);
    const all = Object.keys(fieldsOf(podSelector)).length === 0 && listOf(policyTypes).length === 2;
    return all && ingress === undefined && egress === undefined;
  });
  return closed ? [] : ["what no NetworkPolicy allows is not refused"];
}

function namespaceFaults(namespaces: readonly Document[]): string[] {
  return namespaces
    .filter(({ metadata }) => metadata.labels?.["pod-security.kubernetes.io/enforce"] !== "restricted")
    .map(({ metadata }) => `Namespace ${metadata.name}: pod security is not restricted`);
}

function drainSecondsOf({ documents }: ManifestOptions): number {
  const settings = documents.find(({ kind }) => kind === "ConfigMap");
  return Number(fieldsOf(settings?.["data"])["DRAIN_MS"]) / 1_000;
}

function runOf(document: Document): string[] {
  return containersOf(document)
    .flatMap((container) => listOf(container["env"]).map(fieldsOf))
    .filter(({ name }) => name === "RUN")
    .flatMap(({ value }) => textOf(value).split(","));
}
