import { afterAll, afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findKeeper } from "../../runtime/embedded/keeper.ts";
import { placePostgres } from "../../runtime/embedded/postgres-account.ts";
import { findBinaries } from "../../runtime/embedded/postgres-binaries.ts";
import { attachPostgres, postgresDataDir, stopPostgres } from "../../runtime/embedded/postgres.ts";
import { findPostmaster } from "../../runtime/embedded/postmaster.ts";
import { openState } from "../../runtime/embedded/state.ts";
import { clearStage, eventually, isRunning, newStateDir, silent, sql, startClient } from "./stage.ts";

setDefaultTimeout(60_000);
afterEach(clearStage);
afterAll(clearStage);

const attach = (stateDir: string) => attachPostgres({ stateDir, graceMs: 200, report: silent });

function postmasterOf(stateDir: string): { readonly pid: number; readonly port: number } {
  const found = findPostmaster(postgresDataDir(stateDir) ?? "");
  if (found === null) throw new Error("no Postgres runs");
  return found;
}

test("rows survive an orderly stop and the next start, at the same address", async () => {
  const stateDir = newStateDir();
  const first = await attach(stateDir);
  expect(first.how).toBe("started");
  expect(first.version).toMatch(/^\d+\.\d+/);
  await sql(first.url, "create table kept as select 7 as n");
  const { pid } = postmasterOf(stateDir);
  await first.stop();
  expect(isRunning(pid)).toBe(false);
  const second = await attach(stateDir);
  expect(second.how).toBe("started");
  expect(second.url).toBe(first.url);
  expect(await sql(second.url, "select n from kept")).toEqual([{ n: 7 }]);
});

test("listens on loopback alone, below the ports of outgoing connections, and writes through to the disk", async () => {
  const stateDir = newStateDir();
  const { url } = await attach(stateDir);
  const [shown] = await sql(
    url,
    "select current_setting('listen_addresses') listen, current_setting('fsync') fsync, current_setting('synchronous_commit') commits, current_setting('full_page_writes') pages, current_setting('server_encoding') encoding",
  );
  expect(shown).toEqual({ listen: "127.0.0.1", fsync: "on", commits: "on", pages: "on", encoding: "UTF8" });
  expect(Number(new URL(url).port)).toBeLessThan(32_768);
  const wrong = url.replace(/:[^:@]+@/, ":wrong@");
  const refused = await sql(wrong, "select 1").catch((thrown: unknown) => thrown);
  expect(String(refused)).toContain("password authentication failed");
});

test("keeps its password in a file that only its owner can read", async () => {
  const stateDir = newStateDir();
  const { url } = await attach(stateDir);
  const file = openState(stateDir).postgres.file;
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, "utf8")).toContain(new URL(url).password);
  expect(readFileSync(openState(stateDir).postgres.log, "utf8")).not.toContain(new URL(url).password);
});

test("two processes that start at once share one server", async () => {
  const stateDir = newStateDir();
  const clients = [0, 1, 2].map(() => startClient({ stateDir, postgres: true }));
  const ready = await Promise.all(clients.map((client) => client.ready));
  expect(new Set(ready.map(({ postgres }) => postgres?.url)).size).toBe(1);
  expect(ready.filter(({ postgres }) => postgres?.how === "started")).toHaveLength(1);
});

test("what a commit acknowledged survives kill -9 of the server, which the keeper starts again", async () => {
  const stateDir = newStateDir();
  const { url } = await attach(stateDir);
  await sql(url, "create table kept as select 11 as n");
  const { pid } = postmasterOf(stateDir);
  process.kill(pid, "SIGKILL");
  const rows = await eventually("Postgres answers again", () =>
    sql(url, "select n from kept").catch(() => null),
  );
  expect(rows).toEqual([{ n: 11 }]);
  expect(postmasterOf(stateDir).pid).not.toBe(pid);
});

test("the next attach starts a killed server when no keeper is there to do it", async () => {
  const stateDir = newStateDir();
  const client = startClient({ stateDir, postgres: true });
  const { postgres } = await client.ready;
  await sql(postgres?.url ?? "", "create table kept as select 13 as n");
  const keeper = findKeeper(stateDir);
  for (const pid of [client.pid, keeper?.pid ?? 0, postmasterOf(stateDir).pid]) process.kill(pid, "SIGKILL");
  const again = await attach(stateDir);
  expect(again.how).toBe("started");
  expect(await sql(again.url, "select n from kept")).toEqual([{ n: 13 }]);
});

test("a pid file that names a stranger's process does not keep the server from starting", async () => {
  const stateDir = newStateDir();
  await (await attach(stateDir)).stop();
  const dataDir = postgresDataDir(stateDir) ?? "";
  writeFileSync(
    join(dataDir, "postmaster.pid"),
    `${process.pid}\n${dataDir}\n1700000000\n20001\n\n127.0.0.1\n  1 1\nready   \n`,
  );
  expect(findPostmaster(dataDir)).toBeNull();
  expect(await stopPostgres(stateDir)).toBeNull();
  const again = await attach(stateDir);
  expect(await sql(again.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("a port that someone else took in the meantime is given up for another", async () => {
  const stateDir = newStateDir();
  const first = await attach(stateDir);
  await first.stop();
  const port = Number(new URL(first.url).port);
  const squatter = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
  try {
    const second = await attach(stateDir);
    expect(new URL(second.url).port).not.toBe(String(port));
    expect(await sql(second.url, "select 1 as one")).toEqual([{ one: 1 }]);
  } finally {
    squatter.stop(true);
  }
});

test("data whose password was lost gets a new one and keeps its rows", async () => {
  const stateDir = newStateDir();
  const first = await attach(stateDir);
  await sql(first.url, "create table kept as select 17 as n");
  await first.stop();
  rmSync(openState(stateDir).postgres.file);
  const second = await attach(stateDir);
  expect(new URL(second.url).password).not.toBe(new URL(first.url).password);
  expect(await sql(second.url, "select n from kept")).toEqual([{ n: 17 }]);
});

test("a half-made data directory of a killed start is thrown away", async () => {
  const stateDir = newStateDir();
  mkdirSync(join(openState(stateDir).postgres.dir, "data.new", "base"), { recursive: true });
  expect((await attach(stateDir)).how).toBe("started");
});

test("kill -9 of the keeper costs no connection, and the last process out still ends the server", async () => {
  const stateDir = newStateDir();
  const client = startClient({ stateDir, postgres: true });
  await client.ready;
  const { pid } = postmasterOf(stateDir);
  const keeper = findKeeper(stateDir);
  process.kill(keeper?.pid ?? 0, "SIGKILL");
  await eventually("another keeper", () => {
    const found = findKeeper(stateDir);
    return found !== null && found.pid !== keeper?.pid;
  });
  expect(postmasterOf(stateDir).pid).toBe(pid);
  await client.end();
  await eventually("the server is gone", () => !isRunning(pid));
  await eventually("the keeper is gone", () => findKeeper(stateDir) === null);
});

test("a keeper that is killed while the last process leaves does not leave the server behind", async () => {
  const stateDir = newStateDir();
  const client = startClient({ stateDir, postgres: true });
  await client.ready;
  const { pid } = postmasterOf(stateDir);
  process.kill(findKeeper(stateDir)?.pid ?? 0, "SIGKILL");
  await client.end();
  await eventually("the server is gone", () => !isRunning(pid));
  await eventually("the keeper is gone", () => findKeeper(stateDir) === null);
});

test("an abandoned start is no half start: the next one works", async () => {
  const stateDir = newStateDir();
  const signal = AbortSignal.timeout(300);
  const aborted = await attachPostgres({ stateDir, graceMs: 200, report: silent, signal }).catch(
    (thrown: unknown) => thrown,
  );
  expect(aborted).toBeInstanceOf(DOMException);
  expect(await sql((await attach(stateDir)).url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("when no program fits, the error names everything that was tried", async () => {
  const place = placePostgres(openState(newStateDir()), null);
  const error = await findBinaries({ place, dataMajor: 9, report: silent }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: "embedded_failed" });
  expect(String(error)).toContain("embedded-postgres");
  expect(String(error)).toContain("made by version 9");
  expect(String(error)).toContain("DATABASE_URL");
});

test("below a folder that only root can enter, the data goes where the unprivileged account can reach it", async () => {
  const stateDir = newStateDir();
  mkdirSync(join(stateDir, "private"), { recursive: true, mode: 0o700 });
  const inner = join(stateDir, "private", ".cauce");
  const attached = await attach(inner);
  try {
    expect(await sql(attached.url, "select 1 as one")).toEqual([{ one: 1 }]);
    const dataDir = postgresDataDir(inner) ?? "";
    expect(dataDir.startsWith(inner)).toBe(process.getuid?.() !== 0);
    expect(statSync(dataDir).uid).not.toBe(0);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  } finally {
    await attached.stop();
    const home = join(postgresDataDir(inner) ?? "", "..");
    await eventually("the keeper is gone", () => findKeeper(inner) === null);
    rmSync(home, { recursive: true });
  }
});
