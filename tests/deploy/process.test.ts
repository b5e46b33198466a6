/** What an engine or an orchestrator does with our processes: asks for health, migrates ahead, hands secrets in as files. */
import { afterAll, afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findAilment } from "../../deploy/check-health.ts";
import { createDatabase } from "../services/postgres.ts";
import { freePort } from "../services/port.ts";
import { clearStage, count, eventually, newStateDir, sql, startCauce } from "../system/stage.ts";

/** Longer than any wait of the stage, so that a wait that was in vain is told. */
setDefaultTimeout(180_000);

const root = join(import.meta.dir, "../..");
const cauce = join(root, "runtime/bin/cauce.ts");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "cauce-process-")));

afterEach(clearStage);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a process without ingress answers for its health, and nothing else, on HEALTH_PORT", async () => {
  const port = freePort();
  const worker = startCauce({
    settings: { RUN: "llm.requests", HEALTH_PORT: String(port), CAUCE_SUPERVISE: "off" },
  });
  expect(await worker.up()).toBeNull();
  const url = `http://127.0.0.1:${port}`;
  await eventually("it is ready", async () => (await fetch(`${url}/readyz`)).ok);
  expect(await findAilment(`${url}/healthz`)).toBeNull();
  expect(await (await fetch(`${url}/metrics`)).text()).toContain('handler="llm.requests"');
  expect((await fetch(`${url}/query`, { method: "POST", body: "{}" })).status).toBe(404);
});

test("the health check fails while the event loop is stuck, though the port is open", async () => {
  const port = freePort();
  const worker = startCauce({
    settings: { RUN: "scheduler", HEALTH_PORT: String(port), CAUCE_SUPERVISE: "off" },
  });
  await worker.up();
  const check = () =>
    Bun.spawnSync([process.execPath, join(root, "deploy/check-health.ts")], {
      env: { PATH: process.env["PATH"], PORT: String(port) },
    });
  expect(check().exitCode).toBe(0);
  process.kill(worker.pid, "SIGSTOP");
  try {
    const stuck = check();
    expect(stuck.exitCode).toBe(1);
    expect(stuck.stderr.toString()).toContain("timed out");
  } finally {
    process.kill(worker.pid, "SIGCONT");
  }
  await eventually("it answers again", () => check().exitCode === 0);
});

test("a health port that somebody else has ends the start: a probe would ask the wrong process", async () => {
  const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("another") });
  const worker = startCauce({
    settings: { RUN: "scheduler", HEALTH_PORT: String(other.port), CAUCE_SUPERVISE: "off" },
  });
  expect(await worker.exited).toBe(1);
  expect(worker.output()).toContain(String(other.port));
  await other.stop(true);
});

test("`migrate` makes all tables from a secret file's address, once, and ends", async () => {
  const url = await createDatabase("migrate");
  const file = join(folder, "database-url");
  writeFileSync(file, `${url}\n`);
  const migrate = () =>
    startCauce({
      program: [cauce, "migrate"],
      settings: { DATABASE_URL_FILE: file, NODE_ENV: "production" },
    });
  const first = migrate();
  expect(await first.exited).toBe(0);
  expect(first.output()).toContain("all tables are of this version");
  expect(await sql(url, "SELECT * FROM response_event")).toEqual([]);
  expect(await count(url, "SELECT count(*) FROM question_waiting")).toBe(0);
  expect(await count(url, "SELECT count(*) FROM cauce.schedule")).toBe(0);
  const second = migrate();
  expect(await second.exited).toBe(0);
  expect(second.output()).toContain("nothing was left to do");
});

test("`migrate` without an address refuses: an embedded database migrates itself", async () => {
  const migrate = startCauce({ program: [cauce, "migrate"] });
  expect(await migrate.exited).toBe(1);
  expect(migrate.output()).toContain("DATABASE_URL");
});

/** The project as an image has it: handlers, schema and the packages. */
function projectCopy(name: string): string {
  const dir = join(folder, name);
  for (const part of ["handlers", "schema", "package.json"])
    cpSync(join(root, part), join(dir, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(dir, "node_modules"));
  return dir;
}

test("`manifest` lists the handlers; they are run from it, and a folder that differs is refused", async () => {
  const cwd = projectCopy("listed");
  const written = startCauce({ program: [cauce, "manifest"], cwd });
  expect(await written.exited).toBe(0);
  const path = join(cwd, "handlers/_manifest.ts");
  expect(readFileSync(path, "utf8")).toContain('import handler3 from "./llm.requests.ts";');
  const stateDir = newStateDir();
  const running = startCauce({ cwd, stateDir });
  const line = await running.said("up");
  expect(JSON.stringify(line)).toContain(
    "llm.errors, llm.failed, llm.generated, llm.requests, llm.validated",
  );
  expect(await running.end()).toBe(0);

  cpSync(join(cwd, "handlers/llm.failed.ts"), join(cwd, "handlers/llm.stray.ts"));
  const refused = startCauce({ cwd, stateDir });
  expect(await refused.exited).toBe(1);
  expect(refused.output()).toContain("llm.stray.ts is not in it");
});

test("`manifest` fails, and writes nothing, where a handler cannot be loaded", async () => {
  const cwd = projectCopy("broken");
  writeFileSync(join(cwd, "handlers/llm.broken.ts"), "export default 1;\n");
  const refused = startCauce({ program: [cauce, "manifest"], cwd });
  expect(await refused.exited).toBe(1);
  expect(refused.output()).toContain("llm.broken.ts");
  expect(await Bun.file(join(cwd, "handlers/_manifest.ts")).exists()).toBeFalse();
});
