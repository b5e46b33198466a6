/**
 * `bun run sbom`: everything that this project is made of and does not hold itself, as CycloneDX 1.6 in JSON.
 *
 * In: the lock file, the pinned wheels of librdkafka, the jars and wheels that tests use. Out: one document. It is derived and not
 * kept, so it cannot be old. Never here: what Debian or a container's base image brings.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";

export interface Component {
  readonly type: "library";
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly scope: "required" | "optional" | "excluded";
  readonly hashes: readonly { readonly alg: "SHA-256" | "SHA-512"; readonly content: string }[];
}

export interface Sbom {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.6";
  readonly version: 1;
  readonly metadata: { readonly component: { readonly type: "application"; readonly name: string } };
  readonly components: readonly Component[];
}

const Lock = v.object({
  packages: v.record(v.string(), v.looseTuple([v.string()])),
});

export function sbomOf(root: string): Sbom {
  const read = (path: string) => readFileSync(join(root, path), "utf8");
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: { type: "application", name: "cauce" } },
    components: [
      ...packagesIn(read("bun.lock")),
      librdkafkaIn(read("runtime/kafka/library/wheel.ts")),
      ...jarsIn(read("tests/services/kafka-jars.sha256")),
      ...wheelsIn(read("tests/services/schemathesis.txt")),
    ],
  };
}

/** The lock file is JSON with commas at the ends. Packages of this repository have no hash and are left out. */
function packagesIn(lock: string): Component[] {
  const { packages } = v.parse(Lock, JSON.parse(lock.replace(/,(\s*[}\]])/g, "$1")));
  return Object.values(packages).flatMap((entry): Component[] => {
    const [named] = entry;
    const integrity = entry.at(-1);
    if (typeof integrity !== "string" || !integrity.startsWith("sha512-")) return [];
    const at = named.lastIndexOf("@");
    const [name, version] = [named.slice(0, at), named.slice(at + 1)];
    const content = Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
    return [
      {
        type: "library",
        name,
        version,
        purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
        scope: "required",
        hashes: [{ alg: "SHA-512", content }],
      },
    ];
  });
}

/** The wheel that librdkafka is taken from, as it is pinned in the code, for each platform. */
function librdkafkaIn(code: string): Component {
  const version = /WHEEL_VERSION = "([\d.]+)"/.exec(code)?.[1] ?? "";
  const hashes = [...code.matchAll(/wheelSha256: "([0-9a-f]{64})"/g)].map(([, hash = ""]) => hash);
  return pypi("confluent-kafka", version, hashes, "required");
}

function jarsIn(sums: string): Component[] {
  return sums.split("\n").flatMap((line): Component[] => {
    const [, content, file] = /^([0-9a-f]{64}) +\*?(?:.*\/)?(.+)\.jar$/.exec(line) ?? [];
    const [, name, version] = /^(.+?)-(\d.*)$/.exec(file ?? "") ?? [];
    if (content === undefined || name === undefined || version === undefined) return [];
    const purl = `pkg:generic/${name}@${version}`;
    return [
      { type: "library", name, version, purl, scope: "excluded", hashes: [{ alg: "SHA-256", content }] },
    ];
  });
}

function wheelsIn(requirements: string): Component[] {
  return requirements.split(/\n(?=\S)/).flatMap((block): Component[] => {
    const [, name, version] = /^([\w.-]+)==(\S+)/.exec(block) ?? [];
    if (name === undefined || version === undefined) return [];
    return [pypi(name, version, [...block.matchAll(/sha256:([0-9a-f]{64})/g)].map(([, hash = ""]) => hash), "excluded")]; // prettier-ignore
  });
}

function pypi(
  name: string,
  version: string,
  hashes: readonly string[],
  scope: Component["scope"],
): Component {
  return {
    type: "library",
    name,
    version,
    purl: `pkg:pypi/${name}@${version}`,
    scope,
    hashes: hashes.map((content) => ({ alg: "SHA-256", content })),
  };
}

// The entry of a program: it works when it is run, never when it is imported.
if (import.meta.main)
  process.stdout.write(`${JSON.stringify(sbomOf(join(import.meta.dir, "..")), null, 2)}\n`);
