/**
 * The rules for pods: what they may, what they are asked, how long they are given to end.
 *
 * In: a Deployment or Job. Out: every rule that is broken, as a sentence. Never here: what a pod runs (manifests.ts).
 */
import { fieldsOf, listOf, textOf, type Fields } from "./fields.ts";
import type { Document } from "./kustomize.ts";

/** To commit, leave the groups and close, after a drain. */
const CLOSING_S = 10;

/** What pod security calls restricted, and a file system that nobody writes to. */
export function podFaults(document: Document): string[] {
  const pod = podOf(document);
  const own = fieldsOf(pod["securityContext"]);
  const seccomp = textOf(fieldsOf(own["seccompProfile"])["type"]);
  return [
    ...(own["runAsNonRoot"] === true && Number(own["runAsUser"]) > 0 ? [] : ["it may run as root"]),
    ...(seccomp === "RuntimeDefault" ? [] : ["no seccomp profile"]),
    ...(pod["automountServiceAccountToken"] === false ? [] : ["it gets a token for the Kubernetes API"]),
    ...(textOf(pod["serviceAccountName"]) === "" ? ["it runs as the default service account"] : []),
    ...containersOf(document).flatMap((container) => {
      const security = fieldsOf(container["securityContext"]);
      const resources = fieldsOf(container["resources"]);
      const dropped = listOf(fieldsOf(security["capabilities"])["drop"]);
      return [
        ...(security["allowPrivilegeEscalation"] === false ? [] : ["it may become more than it is"]),
        ...(security["readOnlyRootFilesystem"] === true ? [] : ["it may write to its image"]),
        ...(dropped.includes("ALL") ? [] : ["it keeps capabilities"]),
        ...(fieldsOf(resources["limits"])["memory"] === undefined ? ["its memory has no limit"] : []),
        ...(fieldsOf(resources["requests"])["cpu"] === undefined ? ["it asks for no CPU"] : []),
      ];
    }),
  ];
}

/** Liveness asks whether the loop turns and nothing else: what is away does not come back by a restart. */
export function probeFaults(document: Document): string[] {
  const wanted = { startupProbe: "/healthz", livenessProbe: "/healthz", readinessProbe: "/readyz" };
  return containersOf(document).flatMap((container) =>
    Object.entries(wanted)
      .filter(([probe, path]) => fieldsOf(fieldsOf(container[probe])["httpGet"])["path"] !== path)
      .map(([probe, path]) => `its ${probe} does not ask ${path}`),
  );
}

/** The kubelet's patience covers the wait before the stop, the drain, and what follows it. */
export function graceFaults(document: Document, drainS: number): string[] {
  const graceS = Number(podOf(document)["terminationGracePeriodSeconds"]);
  const waitS = Math.max(
    ...containersOf(document).map((container) => {
      const sleep = fieldsOf(fieldsOf(fieldsOf(container["lifecycle"])["preStop"])["sleep"]);
      return Number(sleep["seconds"] ?? 0);
    }),
  );
  const neededS = waitS + drainS + CLOSING_S;
  return graceS >= neededS ? [] : [`it is killed after ${graceS} s and needs ${neededS} s to drain`];
}

export function podOf(document: Document): Fields {
  return fieldsOf(fieldsOf(fieldsOf(document["spec"])["template"])["spec"]);
}

export function containersOf(document: Document): readonly Fields[] {
  return listOf(podOf(document)["containers"]).map(fieldsOf);
}
