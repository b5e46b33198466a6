/**
 * The rules that our compose file keeps, checked without an engine.
 *
 * In: a compose file's text, the names of our settings, and whether a file exists. Out: every rule that is broken, as a
 * sentence. Never here: reading the disk, starting anything.
 */
import { join } from "node:path";
import { fieldsOf, listOf, textOf, type Fields } from "./fields.ts";

export interface ComposeOptions {
  readonly text: string;
  /** Environment variables that our own processes know. */
  readonly settings: readonly string[];
  /** Is there such a file, relative to the compose file? */
  readonly exists: (path: string) => boolean;
}

/** Images that are built here and never pulled; the first is the one whose settings we know. */
const OWN_IMAGE = "cauce:local";
const BUILT_IMAGES = [OWN_IMAGE, "cauce-flink:local"];
/** DRAIN_MS by default. */
const DRAIN_S = 10;
const CONDITIONS = ["service_started", "service_healthy", "service_completed_successfully"];
/** Names whose values are secret, whoever reads them. */
const SECRET_NAME = /PASSWORD|TOKEN|SECRET|API_KEY|CREDENTIAL/;

/** Every broken rule; none in a file that is as it should be. */
export function findFaults(options: ComposeOptions): string[] {
  const file = fieldsOf(Bun.YAML.parse(options.text));
  const services = fieldsOf(file["services"]);
  const volumes = Object.keys(fieldsOf(file["volumes"]));
  if (Object.keys(services).length === 0) return ["there are no services"];
  return Object.entries(services).flatMap(([name, value]) => {
    const service = fieldsOf(value);
    return [
      ...imageFaults(service, options),
      ...confinementFaults(service),
      ...healthFaults(service),
      ...orderFaults(service, services),
      ...secretFaults(service),
      ...portFaults(service),
      ...mountFaults(service, volumes, options),
      ...settingFaults(service, options),
      ...drainFaults(service),
    ].map((fault) => `${name}: ${fault}`);
  });
}

function imageFaults(service: Fields, { exists }: ComposeOptions): string[] {
  const image = textOf(service["image"]);
  const build = fieldsOf(service["build"]);
  if (BUILT_IMAGES.includes(image)) {
    const dockerfile = join(textOf(build["context"]), textOf(build["dockerfile"]));
    return exists(dockerfile) ? [] : [`its Dockerfile "${dockerfile}" does not exist`];
  }
  // A version with at least two numbers: "8" and "latest" are another image next month.
  return /^[\w./-]+:\d+\.\d+[\w.-]*$/.test(image) ? [] : [`its image "${image}" is not pinned to a version`];
}

/** Nobody is root or becomes it, nobody writes where no volume is, nobody takes the machine. */
function confinementFaults(service: Fields): string[] {
  const limits = fieldsOf(fieldsOf(fieldsOf(service["deploy"])["resources"])["limits"]);
  const user = textOf(service["user"]);
  return [
    ...(user === "" || /^(root|0)\b/.test(user) ? ["it may run as root"] : []),
    ...(service["read_only"] === true ? [] : ["its root file system can be written"]),
    ...(listOf(service["cap_drop"]).includes("ALL") ? [] : ["it keeps capabilities"]),
    ...(listOf(service["security_opt"]).includes("no-new-privileges:true") ? [] : ["it may gain privileges"]),
    ...["cpus", "memory", "pids"]
      .filter((name) => limits[name] === undefined)
      .map((name) => `its ${name} have no limit`),
    // An engine refuses more than the machine has.
    ...(Number(limits["cpus"]) > 1 ? ["it cannot be started where there is one CPU"] : []),
    ...(service["logging"] === undefined ? ["its logs grow without end"] : []),
  ];
}

/** What runs handlers or the door is not killed while it drains. */
function drainFaults(service: Fields): string[] {
  if (service["image"] !== OWN_IMAGE || fieldsOf(service["environment"])["RUN"] === undefined) return [];
  const graceS = Number(/^(\d+)s$/.exec(textOf(service["stop_grace_period"]))?.[1] ?? 10);
  return graceS >= 2 * DRAIN_S ? [] : [`it is killed after ${graceS} s and may drain for ${DRAIN_S} s`];
}

function healthFaults(service: Fields): string[] {
  const health = fieldsOf(service["healthcheck"]);
  const test: unknown = health["test"];
  if (health["disable"] === true) return endsByItself(service) ? [] : ["it runs on and has no health check"];
  if (!Array.isArray(test) || test.length < 2 || !["CMD", "CMD-SHELL"].includes(textOf(test[0]))) {
    return ["it has no health check with a test"];
  }
  return ["interval", "timeout", "retries"]
    .filter((field) => health[field] === undefined)
    .map((field) => `its health check does not say its ${field}`);
}

/** A service that does its work and is not started again. */
function endsByItself(service: Fields): boolean {
  return service["restart"] === "no";
}

function orderFaults(service: Fields, services: Fields): string[] {
  const waits: unknown = service["depends_on"];
  if (Array.isArray(waits)) return ["depends_on names no conditions"];
  return Object.entries(fieldsOf(waits)).flatMap(([name, value]) => {
    const condition = textOf(fieldsOf(value)["condition"]);
    const other = fieldsOf(services[name]);
    if (services[name] === undefined) return [`it depends on ${name}, which is no service`];
    if (!CONDITIONS.includes(condition)) return [`it waits for ${name} without a condition`];
    const unchecked =
      fieldsOf(other["healthcheck"])["disable"] === true || other["healthcheck"] === undefined;
    if (condition === "service_completed_successfully")
      return endsByItself(other) ? [] : [`it waits for the end of ${name}, which does not end`];
    if (condition !== "service_healthy") return [`it does not wait until ${name} is healthy`];
    return unchecked ? [`it waits for the health of ${name}, which is not checked`] : [];
  });
}

/** A secret comes from outside: `${NAME}`, required or empty, or a file's path as NAME_FILE. Never a value, never a default. */
function secretFaults(service: Fields): string[] {
  return environmentOf(service).flatMap(([name, value]) => {
    const password = /:\/\/[^:/@]*:(.*)@/.exec(value)?.[1];
    if (name.endsWith("_FILE") && value.startsWith("/")) return [];
    const secret = SECRET_NAME.test(name) ? value : password;
    if (secret === undefined || /^\$\{\w+(:\?[^}]*|:-)?\}$/.test(secret)) return [];
    return [`${name} holds a secret in the file`];
  });
}

function portFaults(service: Fields): string[] {
  return listOf(service["ports"])
    .map(textOf)
    .filter((port) => !/^127\.0\.0\.1:(\d+|\$\{\w+:-\d+\}):\d+$/.test(port))
    .map((port) => `port ${port} is not published on 127.0.0.1`);
}

function mountFaults(service: Fields, volumes: readonly string[], { exists }: ComposeOptions): string[] {
  const mounts = listOf(service["volumes"]).map((mount) => {
    // "${NAME:-./default}:/inside:ro": what is checked is the default.
    const [source = ""] = textOf(mount)
      .replace(/\$\{\w+:-([^}]*)\}/, "$1")
      .split(":");
    return source;
  });
  const files = mounts.filter((source) => source.startsWith("."));
  return [
    ...files.filter((path) => !exists(path)).map((path) => `it mounts ${path}, which does not exist`),
    ...mounts
      .filter((source) => !files.includes(source) && !volumes.includes(source))
      .map((source) => `it mounts ${source}, which is no declared volume`),
    ...listOf(service["command"])
      .map(textOf)
      .filter((word) => word.endsWith(".ts") && !exists(word))
      .map((path) => `its command runs ${path}, which does not exist`),
  ];
}

/** A misspelt setting would be silently ignored. */
function settingFaults(service: Fields, { settings }: ComposeOptions): string[] {
  if (service["image"] !== OWN_IMAGE) return [];
  return environmentOf(service)
    .filter(([name]) => !settings.includes(name.replace(/_FILE$/, "")))
    .map(([name]) => `${name} is none of our settings`);
}

function environmentOf(service: Fields): (readonly [string, string])[] {
  return Object.entries(fieldsOf(service["environment"])).map(([name, value]) => [name, textOf(value)]);
}
