/** docker-compose.yml and the Dockerfile keep their rules; each rule is broken once to see that it bites. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readDataset } from "../../handlers/shared/questions/dataset.ts";
import { settings } from "../../handlers/shared/settings.ts";
import { runtimeSettings } from "../../runtime/config/runtime-settings.ts";
import { findFaults } from "./compose.ts";
import { findDockerfileFaults } from "./dockerfile.ts";

const root = join(import.meta.dir, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const compose = read("docker-compose.yml");
const dockerfile = read("deploy/Dockerfile");

/** REDIS_URL belongs to deploy/upstash-front.ts. */
const known = [...Object.values(runtimeSettings), ...Object.values(settings)].map(({ env }) => env);
const faultsOf = (text: string) =>
  findFaults({ text, settings: [...known, "REDIS_URL"], exists: (path) => existsSync(join(root, path)) });

const allowed = read(".dockerignore")
  .split("\n")
  .filter((line) => line.startsWith("!"))
  .map((line) => line.slice(1));
const isAllowed = (path: string) => allowed.some((rule) => path === rule || path.startsWith(`${rule}/`));
const faultsOfDockerfile = (text: string) =>
  findDockerfileFaults({
    text,
    inContext: (path) => isAllowed(path) && existsSync(join(root, path)),
    bun: "1.4.4",
  });

/** The file with one thing changed; fails when there is nothing to change. */
function changed(text: string, from: string | RegExp, to: string): string {
  const result = text.replace(from, to);
  expect(result).not.toBe(text);
  return result;
}

describe("docker-compose.yml", () => {
  test("keeps every rule", () => {
    expect(faultsOf(compose)).toEqual([]);
  });

  test("has the parts that the pipeline needs, the load generator only on request", () => {
    const file = Bun.YAML.parse(compose) as { services: Record<string, { profiles?: string[] }> };
    const always = Object.entries(file.services).filter(([, service]) => service.profiles === undefined);
    expect(always.map(([name]) => name).toSorted()).toEqual([
      "handlers",
      "kafka",
      "postgres",
      "redis",
      "redis-http",
    ]);
    expect(file.services["loadgen"]?.profiles).toEqual(["loadgen"]);
  });

  test.each([
    ["image: apache/kafka:4.3.1", "image: apache/kafka:latest", "not pinned"],
    ["image: postgres:18.4", "image: postgres", "not pinned"],
    ["dockerfile: deploy/Dockerfile", "dockerfile: deploy/Nowhere", "does not exist"],
    [/healthcheck:\n\s+# By TCP.*\n\s+test:.*\n/, "healthcheck:\n", "no health check with a test"],
    ["      kafka:\n        condition: service_healthy\n", "      kafka: {}\n", "without a condition"],
    ["redis:\n        condition: service_healthy", "redis:\n        condition: service_started", "healthy"],
    ["      postgres:\n        condition", "      postgrex:\n        condition", "is no service"],
    [/POSTGRES_PASSWORD: \$\{.*\}/, "POSTGRES_PASSWORD: cauce", "holds a secret"],
    [/cauce:\$\{POSTGRES_PASSWORD.*\}@/, "cauce:cauce@", "holds a secret"],
    [/TOKEN: \$\{REDIS_HTTP_TOKEN.*\}/, "TOKEN: ${REDIS_HTTP_TOKEN:-secret}", "holds a secret"],
    ["127.0.0.1:8000:8000", "8000:8000", "not published on 127.0.0.1"],
    ["127.0.0.1:5432:5432", "0.0.0.0:5432:5432", "not published on 127.0.0.1"],
    ["KAFKA_BROKERS:", "KAFKA_BROKER:", "KAFKA_BROKER is none of our settings"],
    ["./deploy/questions.json", "./deploy/riddles.json", "does not exist"],
    ["deploy/upstash-front.ts", "deploy/other-front.ts", "does not exist"],
    ["\nvolumes:\n  kafka:\n", "\nvolumes:\n", "no declared volume"],
  ])("%p → %p is found", (from, to, complaint) => {
    expect(faultsOf(changed(compose, from, to)).join("\n")).toContain(complaint);
  });

  test("every variable that must be set, and no other secret, stands in the example", () => {
    const required = [...compose.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name);
    const example = read("deploy/example.env");
    expect(new Set(required)).toEqual(new Set(["POSTGRES_PASSWORD", "REDIS_HTTP_TOKEN"]));
    for (const name of required) expect(example).toMatch(new RegExp(`^${name}=$`, "m"));
    expect(example).not.toMatch(/^\w+=.+$/m);
    expect(read(".gitignore").split("\n")).toContain(".env");
  });

  test("the load generator's own questions can be read", async () => {
    const { questions, format } = await readDataset(join(root, "deploy/questions.json"));
    expect(format).toBe("questions");
    expect(questions.length).toBeGreaterThan(5);
  });
});

describe("the Dockerfile", () => {
  test("keeps every rule", () => {
    expect(faultsOfDockerfile(dockerfile)).toEqual([]);
  });

  test.each([
    ["USER bun\n", "", "runs as root"],
    ["USER bun\n", "USER root\n", "runs as root"],
    ["oven/bun:1.4.4-slim", "oven/bun:latest", "is not oven/bun:1.4.4"],
    ["COPY schema schema", "COPY schemas schema", "schemas is not there to copy"],
    ["COPY handlers handlers", "COPY tests tests", "tests is not there to copy"],
    ["--from=build", "--from=builder", "there is no stage builder"],
    ["NODE_ENV=production", "NODE_ENV=test", "NODE_ENV is not production"],
    ["/healthz", "/", "does not ask /healthz"],
    ["STOPSIGNAL SIGTERM\n", "", "not stopped by SIGTERM"],
    [/CMD \["bun", "runtime.*\]/, "CMD bun runtime/bin/cauce.ts handlers", "runs in a shell"],
    ["USER bun\n", "RUN apt-get install -y gcc\nUSER bun\n", "installs or builds"],
  ])("%p → %p is found", (from, to, complaint) => {
    expect(faultsOfDockerfile(changed(dockerfile, from, to)).join("\n")).toContain(complaint);
  });
});
