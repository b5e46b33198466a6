/** What is not ours is pinned by its hash, runs nothing when it is installed, and is listed. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sbomOf } from "../../deploy/sbom.ts";

const root = join(import.meta.dir, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const locks = ["bun.lock", ...new Bun.Glob("bench/**/bun.lock").scanSync(root)].filter(
  (path) => !path.includes("node_modules"),
);

interface Lock {
  readonly packages: Readonly<Record<string, readonly [string, ...unknown[]]>>;
}
const lockOf = (path: string) => JSON.parse(read(path).replace(/,(\s*[}\]])/g, "$1")) as Lock;

describe("packages", () => {
  test.each(locks)("of %s come from the registry alone, each with its hash", (path) => {
    for (const [name, entry] of Object.entries(lockOf(path).packages)) {
      if (entry[0].includes("@workspace:")) continue;
      expect([name, entry[0]]).toEqual([name, expect.stringMatching(/^(?:@[\w.-]+\/)?[\w.-]+@\d[\w.+-]*$/)]);
      expect([name, entry.at(-1)]).toEqual([name, expect.stringMatching(/^sha512-[A-Za-z0-9+/]{86}==$/)]);
      // Where else a package would come from.
      expect([name, entry[1]]).toEqual([name, ""]);
    }
  });

  test("run no script when they are installed: nobody is trusted", () => {
    for (const path of ["package.json", "runtime/package.json"]) {
      const parsed = JSON.parse(read(path)) as {
        trustedDependencies?: unknown;
        scripts?: Record<string, string>;
      };
      expect(parsed.trustedDependencies).toBeUndefined();
      for (const hook of ["preinstall", "install", "postinstall", "prepare", "prepublish"])
        expect(parsed.scripts?.[hook]).toBeUndefined();
    }
    expect(read("bunfig.toml")).toMatch(/^auto = "disable"$/m);
    // The one package that would fetch a binary when installed has not done so.
    expect(existsSync(join(root, "node_modules/@confluentinc/kafka-javascript/build/Release"))).toBe(false);
  });

  test("of ours are pinned to one version each", () => {
    for (const path of ["package.json", "runtime/package.json"]) {
      const parsed = JSON.parse(read(path)) as Readonly<
        Record<string, Readonly<Record<string, string>> | undefined>
      >;
      for (const group of ["dependencies", "devDependencies", "optionalDependencies"])
        for (const [name, version] of Object.entries(parsed[group] ?? {}))
          expect([name, version]).toEqual([
            name,
            expect.stringMatching(/^(?:\d+\.\d+\.\d+(?:-[\w.]+)?|workspace:\*)$/),
          ]);
    }
  });
});

test("what is fetched besides is pinned by SHA-256", () => {
  const { components } = sbomOf(root);
  const wheel = components.find(({ name }) => name === "confluent-kafka");
  expect(wheel?.hashes).toHaveLength(2);
  for (const line of read("tests/services/schemathesis.txt")
    .split(/\n(?=\S)/)
    .filter((block) => block.includes("==")))
    expect(line).toMatch(/--hash=sha256:[0-9a-f]{64}/);
  for (const line of read("tests/services/kafka-jars.sha256").trim().split("\n"))
    expect(line).toMatch(/^[0-9a-f]{64} /);
});

test("the bill of materials names every package of the lock file with its hash, and is CycloneDX 1.6", () => {
  const { components, bomFormat, specVersion } = sbomOf(root);
  expect([bomFormat, specVersion]).toEqual(["CycloneDX", "1.6"]);
  const listed = new Set(components.map(({ name, version }) => `${name}@${version}`));
  for (const [named] of Object.values(lockOf("bun.lock").packages))
    if (!named.includes("@workspace:")) expect([named, listed.has(named)]).toEqual([named, true]);
  for (const { name, hashes } of components) {
    expect([name, hashes.length > 0]).toEqual([name, true]);
    for (const { alg, content } of hashes) expect(content).toHaveLength(alg === "SHA-512" ? 128 : 64);
  }
});
