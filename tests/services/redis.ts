/**
 * A real Redis for the tests, on 127.0.0.1, keeping nothing on disk.
 *
 * In: nothing; redis-server is installed through apt where that is allowed. Out: its address. `sharedRedis` is the one
 * server of a test run; `startRedis` is one's own, to be killed and restarted. Never here: a client.
 */
import { installDebianPackages } from "../../runtime/provision/apt.ts";
import { readPlatform } from "../../runtime/provision/platform.ts";
import type { Report } from "../../runtime/provision/step.ts";
import { inNewFolder, removeFolder, startDaemon } from "./daemon.ts";
import { freePort } from "./port.ts";

export interface RedisServer {
  /** "redis://127.0.0.1:port". */
  readonly url: string;
}

export interface OwnRedisServer extends RedisServer {
  stop(): Promise<void>;
  /** `kill -9`; what it held is gone. */
  kill(): Promise<void>;
  /** Ends it if it runs, and starts it again, empty, on the same port. */
  restart(): Promise<void>;
}

/** Set by `bun run test` to the address of the server that it started. */
export const REDIS_VARIABLE = "CAUCE_TEST_REDIS";
const READY_WITHIN_MS = 30_000;

/** The server of this test run: the one of `bun run test`, else one that is started now and ends with this process. */
export function sharedRedis(): Promise<RedisServer> {
  // Test files do not share modules, but they share the process.
  const shared = globalThis as { cauceTestRedis?: Promise<RedisServer> };
  const url = process.env[REDIS_VARIABLE];
  shared.cauceTestRedis ??= url ? Promise.resolve({ url }) : startRedis();
  return shared.cauceTestRedis;
}

/** Starts a server of one's own; well under a second where redis-server is installed. */
export async function startRedis(report: Report = say): Promise<OwnRedisServer> {
  const program = await ensureRedisProgram(report);
  return await inNewFolder("cauce-redis-", (folder) => startIn(program, folder));
}

async function startIn(program: string, folder: string): Promise<OwnRedisServer> {
  const port = freePort();
  const flags = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const start = () =>
    startDaemon({
      name: "Redis",
      command: [program, ...flags, "--dir", folder],
      env: process.env,
      folder,
      isReady: (output) => output.includes("eady to accept connections"),
      readyWithinMs: READY_WITHIN_MS,
    });
  let daemon = await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    kill: () => daemon.end("SIGKILL"),
    async restart() {
      await daemon.end("SIGTERM");
      daemon = await start();
    },
    async stop() {
      await daemon.end("SIGTERM");
      removeFolder(folder);
    },
  };
}

/** Makes sure that redis-server is there and returns its path. Idempotent. */
export async function ensureRedisProgram(report: Report): Promise<string> {
  const present = Bun.which("redis-server");
  if (present !== null) return present;
  const installed = await installDebianPackages({
    packages: ["redis-server"],
    why: "(for the tests on a real Redis)",
    platform: readPlatform(),
    env: process.env,
    report,
  });
  const program = Bun.which("redis-server");
  if (installed.ok && program !== null) return program;
  const reason = installed.ok ? "it was installed and is still not on the PATH" : installed.reason;
  const help = installed.ok ? "add its folder to the PATH" : installed.help;
  throw new Error(`the tests need redis-server: ${reason}\nWhat helps: ${help}`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
