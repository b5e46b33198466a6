/** What is fetched for Flink is pinned, and its cluster listens on loopback alone. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { clusterSettings } from "./cluster-settings.ts";

const read = (name: string) => readFileSync(join(import.meta.dir, name), "utf8");

test.each(["requirements.txt", "build-requirements.txt"])("%s pins versions and checksums", (name) => {
  const lines = read(name)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(line).toMatch(/^[a-z0-9._-]+==[\w.]+( --hash=sha256:[0-9a-f]{64})+$/);
});

test("each jar of the pom has its checksum, and no other jar has", () => {
  const items = [...read("pom.xml").matchAll(/<artifactItem>[\s\S]*?<\/artifactItem>/g)].map(([item]) => {
    const field = (name: string) => new RegExp(`<${name}>(.*?)</${name}>`).exec(item)?.[1];
    return `${field("artifactId")}-${field("version")}.jar`;
  });
  const listed = read("jars.sha256")
    .trim()
    .split("\n")
    .map((line) => /^[0-9a-f]{64} {2}(\S+)$/.exec(line)?.[1]);
  expect(new Set(listed)).toEqual(new Set(items));
});

test("the cluster listens on loopback alone", () => {
  const stock = "env:\n  java:\n    opts:\n      all: --add-opens=java.base/java.lang=ALL-UNNAMED\n";
  const text = clusterSettings({
    folder: "/somewhere",
    ports: { rest: 1, rpc: 2, blob: 3 },
    python: "/somewhere/python",
    stock,
  });
  const settings = new Map(Object.entries(Bun.YAML.parse(text) as Record<string, unknown>));
  for (const name of ["jobmanager.bind-host", "taskmanager.bind-host", "rest.bind-address"])
    expect(settings.get(name)).toBe("127.0.0.1");
  expect(settings.get("env.java.opts.all")).toContain("--add-opens");
});
