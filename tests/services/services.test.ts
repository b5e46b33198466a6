/** The servers of the tests themselves: what other tests rely on. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { sharedKafka } from "./kafka.ts";
import { createDatabase, startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";

const folder = mkdtempSync(join(tmpdir(), "cauce-services-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a real Kafka takes messages from its console producer and gives them to its console consumer", async () => {
  const kafka = await sharedKafka();
  const topic = `services.${crypto.randomUUID()}`;
  await kafka.topics("--create", "--topic", topic, "--partitions", "1");
  await kafka.consoleProducer({ topic, lines: ["uno", "dos"] });
  expect(await kafka.consoleConsumer({ topic, count: 2 })).toEqual(["uno", "dos"]);
});

test("a failing Kafka tool fails with what it said", async () => {
  const kafka = await sharedKafka();
  const described = kafka.topics("--describe", "--topic", `absent.${crypto.randomUUID()}`);
  expect(await described.catch(String)).toContain("does not exist");
});

test("every caller gets an empty Postgres database of its own", async () => {
  const urls = await Promise.all([createDatabase("one"), createDatabase("one")]);
  expect(new Set(urls).size).toBe(2);
  const sql = postgres(urls[0], { max: 1 });
  const [row] = await sql`SELECT count(*)::int AS tables FROM pg_tables WHERE schemaname = 'public'`;
  await sql.end();
  expect(row?.["tables"]).toBe(0);
});

test("a killed Postgres comes back on its port with what was committed", async () => {
  const server = await startPostgres();
  const sql = postgres(await server.createDatabase("killed"), { max: 1, onnotice: () => undefined });
  await sql`CREATE TABLE kept AS SELECT 1 AS x`;
  await server.kill();
  await server.restart();
  expect([...(await sql`SELECT x FROM kept`)]).toEqual([{ x: 1 }]);
  await server.restart("immediate");
  expect([...(await sql`SELECT x FROM kept`)]).toEqual([{ x: 1 }]);
  await sql.end();
  await server.stop();
});

test("a killed Redis comes back on its port, empty", async () => {
  const server = await startRedis();
  const first = new Bun.RedisClient(server.url);
  await first.set("a", "b");
  expect(await first.get("a")).toBe("b");
  first.close();
  await server.kill();
  await server.restart();
  const second = new Bun.RedisClient(server.url);
  expect(await second.get("a")).toBeNull();
  second.close();
  await server.stop();
});

test("a server ends with what it started, and its folder goes, when the process that started it is killed", async () => {
  const script = join(folder, "starter.ts");
  const daemon = JSON.stringify(join(import.meta.dir, "daemon.ts"));
  writeFileSync(
    script,
    `import { startDaemon } from ${daemon};
     import { mkdtempSync } from "node:fs";
     const folder = mkdtempSync(${JSON.stringify(join(folder, "server-"))});
     const command = ["sh", "-c", "sleep 600 & echo ready $!; exec sleep 600"];
     const isReady = (output: string) => output.includes("ready");
     const server = await startDaemon({ name: "sleep", command, env: process.env, folder, isReady, readyWithinMs: 10_000 });
     const child = Number(server.output().split(" ")[1]);
     console.log(JSON.stringify({ pid: server.pid, child, folder }));
     setInterval(() => undefined, 1000);`,
  );
  const starter = Bun.spawn([process.execPath, script], { stdout: "pipe" });
  const { value } = await starter.stdout.getReader().read();
  const server = JSON.parse(new TextDecoder().decode(value)) as {
    pid: number;
    child: number;
    folder: string;
  };
  expect([server.pid, server.child].map(isAlive)).toEqual([true, true]);
  starter.kill("SIGKILL");
  await until(() => !isAlive(server.pid) && !isAlive(server.child) && !existsSync(server.folder));
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(10);
}
