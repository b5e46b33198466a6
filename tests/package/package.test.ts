/** Cauce as a package: what a user does with it in an empty folder, as the page "your first handler" tells it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { MOCK_CLIENTS } from "../../runtime/kafka/index.ts";
import { testLibrary } from "../kafka/library.ts";
import { sharedKafka } from "../services/kafka.ts";
import { newUserProject, type Settings, type UserProject } from "./stage.ts";

const root = join(import.meta.dir, "../..");
const page = readFileSync(join(root, "docs/your-first-handler.md"), "utf8");
const source = readFileSync(join(root, "docs/examples/your-first-handler/visits.ts"), "utf8");
const SEND = `{"name": "Ana", "guests": 2}`;
const OUTPUT = "Welcome, Ana! A table for 3.";
const TIMEOUT_MS = 120_000;

let project: UserProject;
beforeAll(async () => {
  project = await newUserProject();
}, TIMEOUT_MS);
afterAll(() => project.close());

const put = (path: string, text: string) => writeFileSync(join(project.dir, path), text);

/** The values on a topic, once there are so many. */
async function read(brokers: string, topic: string, howMany: number, settings = {}): Promise<unknown[]> {
  const bus = await createKafkaBus({
    library: await testLibrary(),
    brokers,
    clientId: "reader",
    ...settings,
  });
  const ownership = { assigned() {}, revoked: async () => {}, lost() {}, troubled() {} };
  const group = `reader-${crypto.randomUUID()}`;
  const subscription = await bus.subscribe({
    group,
    topics: [topic],
    startAt: "earliest",
    drainMs: 0,
    ownership,
  });
  const values: unknown[] = [];
  while (values.length < howMany) {
    for (const { value } of await subscription.take(howMany)) {
      values.push(JSON.parse(new TextDecoder().decode(value ?? new Uint8Array())));
    }
  }
  await subscription.close();
  await bus.close();
  return values;
}

test("the package holds what runs (SQL and C with it) and no tests", () => {
  expect(project.packed.filter((path) => path.includes(".test."))).toEqual([]);
  for (const path of ["bin/cauce.ts", "kafka/crossing.c", "store/migrations/0001-schedule.sql", "index.ts"]) {
    expect(project.packed).toContain(`package/${path}`);
  }
});

describe("before there is a handler that runs, one sentence says what to do", () => {
  const handlers = async () => await project.run(["x", "cauce", "handlers"]);

  test("without the folder", async () => {
    const { code, output } = await handlers();
    expect(code).toBe(1);
    expect(output).toContain("there is no folder");
  });

  test("with an empty one", async () => {
    mkdirSync(join(project.dir, "handlers"));
    const { code, output } = await handlers();
    expect(code).toBe(1);
    expect(output).toContain("there is no handler in");
  });

  test("with a slip in the file, naming the place", async () => {
    put("handlers/visits.ts", 'import { handler } from "cauce";\nexport default handler({');
    const { code, output } = await handlers();
    expect(code).toBe(1);
    expect(output).toMatch(/visits\.ts: .+ \(line 2, column \d+\)/);
  });

  test("with a file that is no handler", async () => {
    put("handlers/visits.ts", "export const nothing = 1;");
    const { code, output } = await handlers();
    expect(code).toBe(1);
    expect(output).toContain("visits.ts: its default export is no handler");
  });
});

describe("the page's handler", () => {
  beforeAll(() => {
    mkdirSync(join(project.dir, "handlers"), { recursive: true });
    put("handlers/visits.ts", source);
  });

  test("is the example's file, word for word, and the page's commands are those run here", () => {
    expect(page).toContain(`\`\`\`ts\n${source}\`\`\``);
    for (const command of ["bunx cauce handlers", `bunx cauce send visits '${SEND}'`]) {
      expect(page).toContain(`\`\`\`sh\n${command}\n\`\`\``);
    }
    expect(page).toContain(OUTPUT);
  });

  test("has nobody to send to before it runs: the message would be forgotten", async () => {
    const { code, output } = await project.run(["x", "cauce", "send", "visits", SEND]);
    expect(code).toBe(1);
    expect(output).toContain("first start `bunx cauce handlers`");
  });

  /** Starts it, sends one message, sees the output in the terminal and on the topic, stops it. */
  async function runs(settings: Settings, brokersIn: (output: string) => string, client = {}): Promise<void> {
    const running = project.start(["x", "cauce", "handlers"], settings);
    const [up] = await running.says(/.*"event":"up".*/);
    const sent = await project.run(["x", "cauce", "send", "visits", SEND], settings);
    expect(sent.output).toMatch(/^sent to visits as message [0-9a-f-]{36}\n$/);
    await running.says(new RegExp(OUTPUT));
    const brokers = brokersIn(up);
    expect(await read(brokers, "welcomes", 1, client)).toEqual([{ text: OUTPUT }]);

    const refused = await project.run(["x", "cauce", "send", "visits", `{"name": "Bo"}`], settings);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.output).toContain("not a value of visits: guests:");
    const unknown = await project.run(["x", "cauce", "send", "visit", SEND], settings);
    expect(unknown).toMatchObject({ code: 1 });
    expect(unknown.output).toContain("declared are visits, welcomes");
    expect(await running.end("SIGINT")).toBe(0);
    expect(running.output()).toContain('"event":"stopped"');
  }

  test(
    "runs on the embedded defaults: a message in, its output out, code 0 at the end",
    async () => {
      await runs({}, (up) => /in memory on (\S+)/.exec(up)?.[1] ?? "", MOCK_CLIENTS);
    },
    TIMEOUT_MS,
  );

  test(
    "runs on a real Kafka with KAFKA_BROKERS",
    async () => {
      const { brokers } = await sharedKafka();
      await runs({ KAFKA_BROKERS: brokers }, () => brokers);
    },
    TIMEOUT_MS,
  );

  test("runs as the selection RUN says: without a door or a scheduler", async () => {
    const running = project.start(["x", "cauce", "handlers"], { RUN: "visits" });
    const [up] = await running.says(/.*"event":"up".*/);
    expect(up).toContain("not in this process (RUN)");
    expect(await running.end("SIGTERM")).toBe(0);
  });

  test(
    "has types that hold in a project as `bun init` makes it, whatever entry is imported",
    async () => {
      expect(await project.run(["add", "-d", "@types/bun@1.4.5"])).toMatchObject({ code: 0 });
      put("tsconfig.json", TSCONFIG);
      const example = /```ts\n(import \{ given[\s\S]*?)```/.exec(page)?.[1] ?? "";
      put("handlers/visits.test.ts", `import { test } from "bun:test";\n${wrapped(example)}`);
      put(
        "entries.ts",
        ["run", "kafka", "testing", "ingress"]
          .map((entry) => `export * as ${entry} from "cauce/${entry}";\n`)
          .join(""),
      );
      const types = await project.run(["check"]);
      expect(types.output).toContain("No type errors");
      expect(types.code).toBe(0);
      const tests = await project.run(["test", "./handlers/visits.test.ts"]);
      expect(tests.output).toContain("1 pass");
      rmSync(join(project.dir, "handlers/visits.test.ts"));
    },
    TIMEOUT_MS,
  );
});

/** The page's example of a test, inside a test. */
function wrapped(example: string): string {
  const [imports = "", body = ""] = example.split("\n\n");
  return `${imports}\ntest("the page's example", async () => {\n${body}});\n`;
}

/** What `bun init` of Bun 1.4 writes, without its comments. */
const TSCONFIG = JSON.stringify({
  compilerOptions: {
    lib: ["ESNext"],
    target: "ESNext",
    module: "Preserve",
    moduleDetection: "force",
    moduleResolution: "bundler",
    allowImportingTsExtensions: true,
    verbatimModuleSyntax: true,
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    noFallthroughCasesInSwitch: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
  },
});
