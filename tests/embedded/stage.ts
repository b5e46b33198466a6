/**
 * What tests of the embedded services share: state folders that leave nothing behind, other processes, waiting.
 */
import { chmodSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cacheFolder } from "../../runtime/provision/cache-folder.ts";
import { locateLibrary } from "../../runtime/kafka/library/locate.ts";
import { postgresDataDir } from "../../runtime/embedded/postgres.ts";
import { stopEmbedded } from "../../runtime/embedded/stop.ts";
import type { ClientOptions, ClientReady } from "./client.ts";

export const silent = (): void => {};

/** Long enough for a slow machine, short enough to end a broken test. */
const WAIT_LIMIT_MS = 30_000;

const folders: string[] = [];
const clients: Client[] = [];

export function newStateDir(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "cauce-embedded-")));
  // As root, Postgres runs under another account, which must be able to walk through.
  chmodSync(folder, 0o711);
  folders.push(folder);
  return join(folder, "state");
}

/** Ends every process and removes every folder of this file's tests. */
export async function clearStage(): Promise<void> {
  for (const client of clients.splice(0)) client.kill();
  for (const folder of folders.splice(0)) {
    const stateDir = join(folder, "state");
    const dataDir = postgresDataDir(stateDir);
    await stopEmbedded({ stateDir, report: silent });
    if (dataDir !== null && !dataDir.startsWith(folder)) rmSync(dirname(dataDir), { recursive: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function libraryPath(): Promise<string> {
  const env = process.env;
  const cacheDir = cacheFolder(env);
  return (await locateLibrary({ env, cacheDir, production: false, report: silent })).path;
}

export interface Client {
  readonly pid: number;
  readonly ready: Promise<ClientReady>;
  /** `kill -9`. */
  kill(): void;
  /** An orderly end. */
  end(): Promise<void>;
}

export function startClient(options: Partial<ClientOptions> & { readonly stateDir: string }): Client {
  const full: ClientOptions = { graceMs: 200, postgres: false, library: null, ...options };
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "client.ts"), JSON.stringify(full)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const client: Client = {
    pid: child.pid,
    ready: firstLine(child.stdout, child.stderr),
    kill: () => child.kill("SIGKILL"),
    async end() {
      await child.stdin.end();
      await child.exited;
    },
  };
  clients.push(client);
  return client;
}

async function firstLine(
  output: ReadableStream<Uint8Array>,
  complaints: ReadableStream<Uint8Array>,
): Promise<ClientReady> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of output) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("\n")) return JSON.parse(text) as ClientReady;
  }
  throw new Error(`the client ended: ${await new Response(complaints).text()}`);
}

/** Resolves when `look` answers something else than null, false or undefined. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
): Promise<Exclude<T, null | false | undefined>> {
  const deadlineMs = performance.now() + WAIT_LIMIT_MS;
  for (;;) {
    const found = await look();
    if (found !== null && found !== false && found !== undefined) {
      // The three values that mean "not yet" were ruled out in the line above.
      return found as Exclude<T, null | false | undefined>;
    }
    if (performance.now() > deadlineMs) throw new Error(`waited in vain: ${what}`);
    await Bun.sleep(10);
  }
}

/** One statement on a connection of its own. */
export async function sql(url: string, statement: string): Promise<readonly Record<string, unknown>[]> {
  const client = new Bun.SQL(url, { max: 1 });
  try {
    return [...((await client.unsafe(statement)) as Record<string, unknown>[])];
  } finally {
    await client.close();
  }
}

/** A zombie, which has no command line, does not run. */
export function isRunning(pid: number): boolean {
  const path = `/proc/${pid}/cmdline`;
  try {
    return readFileSync(path, "utf8") !== "";
  } catch {
    return false;
  }
}
