import { afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { attachBroker } from "../../runtime/embedded/broker.ts";
import { findKeeper, keeperArguments } from "../../runtime/embedded/keeper.ts";
import { attachPostgres, postgresDataDir } from "../../runtime/embedded/postgres.ts";
import { findPostmaster } from "../../runtime/embedded/postmaster.ts";
import { openState, writeWhole } from "../../runtime/embedded/state.ts";
import { stopEmbedded } from "../../runtime/embedded/stop.ts";
import { clearStage, eventually, isRunning, libraryPath, newStateDir, silent, startClient } from "./stage.ts";

setDefaultTimeout(60_000);

let library = "";
beforeAll(async () => {
  library = await libraryPath();
}, 300_000);
afterEach(clearStage);

const attach = (stateDir: string) =>
  attachBroker({ stateDir, libraryPath: library, graceMs: 200, report: silent });

/** Does anything accept connections there? */
async function accepts(bootstrap: string): Promise<boolean> {
  const [hostname = "", port = ""] = bootstrap.split(":");
  try {
    const socket = await Bun.connect({ hostname, port: Number(port), socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}

test("starts a broker that accepts connections on loopback, and ends it when the last lease is given back", async () => {
  const stateDir = newStateDir();
  const broker = await attach(stateDir);
  expect(broker.how).toBe("started");
  expect(broker.bootstrap).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(await accepts(broker.bootstrap)).toBe(true);
  await broker.close();
  await eventually("the keeper is gone", () => findKeeper(stateDir) === null);
  await eventually("the broker is gone", async () => !(await accepts(broker.bootstrap)));
  expect(existsSync(openState(stateDir).keeper.file)).toBe(false);
});

test("processes that start at once share one broker and its topics", async () => {
  const stateDir = newStateDir();
  const clients = [0, 1, 2].map(() => startClient({ stateDir, library }));
  const ready = await Promise.all(clients.map((client) => client.ready));
  expect(new Set(ready.map(({ broker }) => broker?.generation)).size).toBe(1);
  expect(ready.filter(({ broker }) => broker?.how === "started")).toHaveLength(1);
  const broker = await attach(stateDir);
  expect(broker.generation).toBe(ready[0]?.broker?.generation ?? "");
  const create = { name: "t", partitions: 3, provision: "create" } as const;
  expect(await broker.createTopics([create])).toEqual([{ name: "t", state: "created", partitions: 3 }]);
  expect(
    await broker.createTopics([
      { ...create, partitions: 5 },
      { ...create, name: "absent", provision: "verify" },
      { ...create, name: "left alone", provision: "none" },
    ]),
  ).toEqual([
    { name: "t", state: "present", partitions: 3 },
    { name: "absent", state: "missing", detail: "no such topic on this broker" },
    { name: "left alone", state: "unchecked" },
  ]);
  expect(await broker.topics()).toEqual([{ name: "t", partitions: 3 }]);
});

test("kill -9 of the broker is told to those attached, and the next attach finds a new generation", async () => {
  const stateDir = newStateDir();
  const first = await attach(stateDir);
  const gone = new Promise<string>((resolve) => first.onGone(resolve));
  process.kill(findKeeper(stateDir)?.pid ?? 0, "SIGKILL");
  expect(await gone).toBe("died");
  const second = await attach(stateDir);
  expect(second.how).toBe("started");
  expect(second.generation).not.toBe(first.generation);
  expect(await accepts(second.bootstrap)).toBe(true);
});

test("a broker that died before anyone asked is told to who asks later", async () => {
  const stateDir = newStateDir();
  const broker = await attach(stateDir);
  const pid = findKeeper(stateDir)?.pid ?? 0;
  process.kill(pid, "SIGKILL");
  await eventually("it is gone", async () => !(await accepts(broker.bootstrap)));
  expect(await new Promise((resolve) => broker.onGone(resolve))).toBe("died");
});

test("a state file of a process that is gone, or of a stranger with its number, is not believed", async () => {
  for (const pid of [4_194_303, process.pid]) {
    const stateDir = newStateDir();
    const record = { pid, mark: "old", port: 20_001, token: "t" };
    writeWhole(openState(stateDir).keeper.file, JSON.stringify(record));
    expect(findKeeper(stateDir)).toBeNull();
    expect(await stopEmbedded({ stateDir, report: silent })).toEqual([]);
    expect((await attach(stateDir)).how).toBe("started");
  }
});

test("a torn state file is as good as none", async () => {
  const stateDir = newStateDir();
  writeWhole(openState(stateDir).keeper.file, '{"pid": 12');
  expect((await attach(stateDir)).how).toBe("started");
});

test("kill -9 of a client frees its lease, and the last one out stops broker and Postgres", async () => {
  const stateDir = newStateDir();
  const [one, other] = [0, 1].map(() => startClient({ stateDir, library, postgres: true }));
  const ready = await one?.ready;
  await other?.ready;
  const keeper = findKeeper(stateDir)?.pid ?? 0;
  const postmaster = findPostmaster(postgresDataDir(stateDir) ?? "")?.pid ?? 0;
  expect([isRunning(keeper), isRunning(postmaster)]).toEqual([true, true]);
  await other?.end();
  expect(await accepts(ready?.broker?.bootstrap ?? "")).toBe(true);
  one?.kill();
  await eventually("both are gone", () => !isRunning(keeper) && !isRunning(postmaster));
});

test("a process that comes in the grace period keeps what is there", async () => {
  const stateDir = newStateDir();
  const first = await attachBroker({ stateDir, libraryPath: library, graceMs: 20_000, report: silent });
  await first.close();
  const second = await attach(stateDir);
  expect(second).toMatchObject({ how: "attached", generation: first.generation });
});

test("stopping ends keeper, broker and Postgres at once, says so, and may be repeated", async () => {
  const stateDir = newStateDir();
  const broker = await attach(stateDir);
  await attachPostgres({ stateDir, report: silent });
  const gone = new Promise<string>((resolve) => broker.onGone(resolve));
  const keeper = findKeeper(stateDir)?.pid ?? 0;
  const postmaster = findPostmaster(postgresDataDir(stateDir) ?? "")?.pid ?? 0;
  const lines: string[] = [];
  const ended = await stopEmbedded({ stateDir, report: (line) => lines.push(line) });
  expect(await gone).toBe("stopped");
  expect([isRunning(keeper), isRunning(postmaster)]).toEqual([false, false]);
  expect(ended.join("\n")).toContain(String(keeper));
  expect(ended.join("\n")).toContain(String(postmaster));
  expect(lines).toEqual([...ended]);
  expect(await stopEmbedded({ stateDir, report: silent })).toEqual([]);
});

test("stopping a folder that was never used makes and ends nothing", async () => {
  const stateDir = newStateDir();
  expect(await stopEmbedded({ stateDir, report: silent })).toEqual([]);
  expect(existsSync(stateDir)).toBe(false);
});

test("a removed state folder does not keep its keeper alive, nor harm the next one", async () => {
  const stateDir = newStateDir();
  const orphan = await attach(stateDir);
  const { pid } = findKeeper(stateDir) ?? { pid: 0 };
  rmSync(stateDir, { recursive: true });
  const next = await attach(stateDir);
  expect(next.generation).not.toBe(orphan.generation);
  await orphan.close();
  await eventually("the orphan is gone", () => !isRunning(pid));
  expect(await accepts(next.bootstrap)).toBe(true);
});

test("the control channel answers nobody without the token, which only the owner of the folder can read", async () => {
  const stateDir = newStateDir();
  await attach(stateDir);
  const keeper = findKeeper(stateDir);
  const url = `http://127.0.0.1:${keeper?.port}`;
  for (const headers of [
    {},
    { authorization: "Bearer wrong" },
    { authorization: `Bearer ${keeper?.token}x` },
  ]) {
    expect((await fetch(`${url}/topics`, { method: "PUT", body: "[]", headers })).status).toBe(401);
    expect((await fetch(`${url}/lease?for=broker`, { headers })).status).toBe(401);
  }
  const { file, log, dir } = openState(stateDir).keeper;
  expect([file, log, dir].map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o600, 0o700]);
  const commandLine = readFileSync(`/proc/${keeper?.pid}/cmdline`, "utf8");
  expect(commandLine).toContain(keeperArguments(keeper?.mark ?? "").join("\0"));
  expect(commandLine).not.toContain(keeper?.token ?? "");
  expect(readFileSync(`/proc/${keeper?.pid}/environ`, "utf8")).toBe("BUN_BE_BUN=1\0");
});

test("bad calls are refused with what was expected", async () => {
  const stateDir = newStateDir();
  await attach(stateDir);
  const keeper = findKeeper(stateDir);
  const put = async (path: string, body: string) => {
    const headers = { authorization: `Bearer ${keeper?.token}` };
    const response = await fetch(`http://127.0.0.1:${keeper?.port}${path}`, { method: "PUT", headers, body });
    return `${response.status} ${await response.text()}`;
  };
  expect(await put("/topics", '[{"name": "x"}]')).toBe('422 this is no topic plan: {"name":"x"}');
  expect(await put("/topics", "{}")).toBe("422 expected a list of topic plans");
  expect(await put("/broker", "{}")).toStartWith('422 expected {"library": "<path>"}');
  expect(await put("/topics", "{broken")).toStartWith("500 ");
  expect(await put("/nothing", "{}")).toBe("404 the keeper does not know PUT /nothing");
});

test("a library that cannot be opened is an error in words, and another attempt may succeed", async () => {
  const stateDir = newStateDir();
  const failed = await attachBroker({
    stateDir,
    libraryPath: "/nowhere/librdkafka.so",
    report: silent,
  }).catch((thrown: unknown) => thrown);
  expect(failed).toMatchObject({ code: "embedded_failed" });
  expect(String(failed)).toContain("/nowhere/librdkafka.so");
  expect((await attach(stateDir)).how).toBe("started");
});
