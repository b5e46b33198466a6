/**
 * A real Redis for the tests, on 127.0.0.1, keeping nothing on disk.
 *
 * In: nothing; redis-server is installed through apt where that is allowed. Out: its address. `sharedRedis` is the one
 * server of a test run; `startRedis` is one's own, to be killed and restarted. Never here: a client.
 */
import type { Report } from "../../runtime/provision/step.ts";
import { ensureDebianProgram } from "./debian-program.ts";
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

const REDIS = { program: "redis-server", why: "(for the tests on a real Redis)" };

/** Starts a server of one's own; well under a second where redis-server is installed. */
export async function startRedis(report: Report = say): Promise<OwnRedisServer> {
  const program = await ensureDebianProgram(REDIS, report);
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

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
