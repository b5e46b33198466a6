/** docker-compose.yml fits the Compose Specification; it and the Dockerfile keep our rules; each is broken once to see that it bites. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readDataset } from "../../handlers/shared/questions/dataset.ts";
import { settings } from "../../handlers/shared/settings.ts";
import { runtimeSettings } from "../../runtime/config/runtime-settings.ts";
import { loadProject } from "../../runtime/main/project.ts";
import { findFaults } from "./compose.ts";
import { findDockerfileFaults } from "./dockerfile.ts";
import { findSchemaFaults } from "./schema-check.ts";
import { readSchemas } from "./schemas/read.ts";

const root = join(import.meta.dir, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const compose = read("docker-compose.yml");
const dockerfile = read("deploy/Dockerfile");

/** Of deploy/upstash-front.ts and deploy/write-credentials.ts. */
const others = ["REDIS_URL", "POSTGRES_PASSWORD", "REDIS_HTTP_TOKEN"];
const known = [...Object.values(runtimeSettings), ...Object.values(settings)].map(({ env }) => env);
const faultsOf = (text: string) =>
  findFaults({ text, settings: [...known, ...others], exists: (path) => existsSync(join(root, path)) });

const { top, definitions } = readSchemas("compose");
const schemaFaultsOf = (text: string) => findSchemaFaults(top, Bun.YAML.parse(text), definitions);

const allowed = read(".dockerignore")
  .split("\n")
  .filter((line) => line.startsWith("!"))
  .map((line) => line.slice(1));
/** What is allowed, what is in it, and the folder that it is in. */
const isAllowed = (path: string) =>
  allowed.some((rule) => path === rule || path.startsWith(`${rule}/`) || rule.startsWith(`${path}/`));
const faultsOfDockerfile = (text: string) =>
  findDockerfileFaults({
    text,
    inContext: (path) => isAllowed(path) && existsSync(join(root, path)),
    exists: (path) => existsSync(join(root, path)),
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

  test("fits the Compose Specification", () => {
    expect(schemaFaultsOf(compose)).toEqual([]);
  });

  test.each([
    ["    user: postgres\n", "    usr: postgres\n", 'services.postgres: there is no field "usr"'],
    ["  read_only: true", "  read_only: [true]", "services.kafka.read_only: expected boolean or string"],
    ["retries: 8", "retires: 8", 'there is no field "retires"'],
    ["stop_grace_period: 60s", "stop_grace_periode: 60s", 'there is no field "stop_grace_periode"'],
    ["shm_size: 128m", "shm_size: [128m]", "expected number or string"],
    ["pids: 512", "pids: [512]", "pids: expected"],
    ["\nvolumes:\n", "\nvolume:\n", 'there is no field "volume"'],
  ])("%p → %p is refused by the schema", (from, to, complaint) => {
    expect(schemaFaultsOf(changed(compose, from, to)).join("\n")).toContain(complaint);
  });

  test("has the parts that the pipeline needs, the others only on request, each handler in one of its own", async () => {
    const file = Bun.YAML.parse(compose) as {
      services: Record<string, { profiles?: string[]; environment?: Record<string, string> }>;
    };
    const named = (profile: string | undefined) =>
      Object.entries(file.services).filter(([, { profiles }]) => profiles?.[0] === profile);
    expect(named(undefined).map(([name]) => name)).toEqual([
      "credentials",
      "kafka",
      "postgres",
      "redis",
      "redis-http",
      "handlers",
    ]);
    expect(named("loadgen").map(([name]) => name)).toEqual(["loadgen"]);
    expect(named("flink").map(([name]) => name)).toEqual(["flink", "flink-worker"]);
    const { handlers } = await loadProject(root);
    const run = named("split").map(([, { environment }]) => environment?.["RUN"]);
    expect(run).toHaveLength(handlers.length);
    expect(new Set(run)).toEqual(new Set(handlers.map(({ name }) => name)));
  });

  test.each([
    ["image: apache/kafka:4.3.1", "image: apache/kafka:latest", "not pinned"],
    ["image: postgres:18.4", "image: postgres", "not pinned"],
    ["dockerfile: deploy/Dockerfile", "dockerfile: deploy/Nowhere", "does not exist"],
    [/healthcheck:\n\s+# A backend.*\n\s+test:.*\n/, "healthcheck:\n", "no health check with a test"],
    ["    kafka: { condition: service_healthy }", "    kafka: {}", "without a condition"],
    ["redis: { condition: service_healthy }", "redis: { condition: service_started }", "healthy"],
    [
      "redis: { condition: service_healthy }",
      "redis: { condition: service_completed_successfully }",
      "does not end",
    ],
    ["    postgres: { condition", "    postgrex: { condition", "is no service"],
    ["POSTGRES_PASSWORD_FILE: /credentials/postgres-password", "POSTGRES_PASSWORD: cauce", "holds a secret"],
    [
      "DATABASE_URL_FILE: /credentials/database-url",
      "DATABASE_URL: postgres://c:c@postgres/c",
      "holds a secret",
    ],
    ["LLM_API_KEY: ${LLM_API_KEY:-}", "LLM_API_KEY: ${LLM_API_KEY:-sk-1}", "holds a secret"],
    ["127.0.0.1:${HTTP_PORT:-8000}:8000", "8000:8000", "not published on 127.0.0.1"],
    ["127.0.0.1:${POSTGRES_PORT:-5432}:5432", "0.0.0.0:5432:5432", "not published on 127.0.0.1"],
    ["KAFKA_BROKERS:", "KAFKA_BROKER:", "KAFKA_BROKER is none of our settings"],
    ["DATABASE_URL_FILE:", "DATABASE_ADDRESS_FILE:", "DATABASE_ADDRESS_FILE is none of our settings"],
    ["./deploy/questions.json", "./deploy/riddles.json", "does not exist"],
    ["deploy/upstash-front.ts", "deploy/other-front.ts", "does not exist"],
    ["\n  kafka:\n  postgres:\n", "\n  postgres:\n", "no declared volume"],
    ["    user: postgres", "    user: root", "postgres: it may run as root"],
    ["    user: redis\n", "", "redis: it may run as root"],
    ["  read_only: true", "  read_only: false", "can be written"],
    ["  cap_drop: [ALL]", "  cap_drop: [NET_RAW]", "keeps capabilities"],
    ["no-new-privileges:true", "no-new-privileges:false", "may gain privileges"],
    ['cpus: "1", memory: 512m, pids', 'cpus: "1", pids', "postgres: its memory have no limit"],
    ['cpus: "1", memory: 512m', 'cpus: "4", memory: 512m', "cannot be started where there is one CPU"],
    ["stop_grace_period: 20s", "stop_grace_period: 12s", "may drain for 10 s"],
  ])("%p → %p is found", (from, to, complaint) => {
    expect(faultsOf(changed(compose, from, to)).join("\n")).toContain(complaint);
  });

  test("nothing has to be set, and what may be is in the example, without values", () => {
    const named = [...compose.matchAll(/\$\{(\w+):?(.)/g)];
    expect(named.filter(([, , sign]) => sign === "?")).toEqual([]);
    const example = read("deploy/example.env");
    const unlisted = new Set(["LOG_LEVEL", "LOADGEN_FILE"]);
    for (const [, name = ""] of named)
      if (!unlisted.has(name)) expect(example).toMatch(new RegExp(`^${name}=$`, "m"));
    expect(example).not.toMatch(/^\w+=.+$/m);
    expect(read(".gitignore").split("\n")).toContain(".env");
  });

  test("what docs/compose.md says to type is what deploy/try-compose.sh types, all of it", () => {
    const written = [...read("docs/compose.md").matchAll(/<!-- try: (\w+) -->\n+```sh\n/g)].map(
      ([, name]) => name,
    );
    const trial = read("deploy/try/checks.sh") + read("deploy/try/flink.sh");
    const typed = [...trial.matchAll(/type_block (\w+)/g)].map(([, name]) => name);
    expect(written.length).toBeGreaterThan(10);
    expect(new Set(typed)).toEqual(new Set(written));
    expect(read("docs/compose.md").match(/^```sh$/gm)).toHaveLength(written.length);
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
    [" && bun runtime/bin/cauce.ts manifest", "", "its handlers are in no manifest"],
    [" && bun deploy/build-shim.ts /opt/cauce/librdkafka.so", "", "the shim is not built"],
    ["deploy/check-health.ts", "deploy/check-wealth.ts", "does not exist"],
    ["    HEALTH_PORT=8000 \\\n", "", "HEALTH_PORT is not PORT"],
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

describe("the Dockerfile of the Flink job", () => {
  const text = read("deploy/flink/Dockerfile");

  test("is of the Flink that its Python packages are of, of pinned images, and runs as nobody in particular", () => {
    const version = /^apache-flink==(\S+) /m.exec(read("deploy/flink/requirements.txt"))?.[1];
    const images = [...text.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    expect(images).toContain(`flink:${version}-java17`);
    for (const image of images) expect(image).toMatch(/:\d+\.\d+\.\d+/);
    expect(text.match(/^USER .*$/gm)?.at(-1)).toBe("USER flink");
  });

  test("copies what is there", () => {
    const sources = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, words = ""]) =>
      words.split(" "),
    );
    expect(sources).toContain("job.py");
    for (const source of sources) expect(existsSync(join(root, "deploy/flink", source)), source).toBeTrue();
  });
});
