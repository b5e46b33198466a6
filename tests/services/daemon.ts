/**
 * A server that a test starts, and that cannot outlive it.
 *
 * In: a command, a folder of its own, a sign that it is ready. Out: the running server. A small `sh` stands between:
 * it holds a pipe from this process, and when that pipe closes (however this process ended, `kill -9` included) it
 * kills the server with all that it has started, and removes its folder. Never here: what the server is.
 */
import { chownSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface DaemonOptions {
  /** For people: "Apache Kafka". */
  readonly name: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Made by the caller, removed when this process ends. The server's output goes to `output.log` in it. */
  readonly folder: string;
  /** Who runs it, where it must not be root. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Looks once whether the server is ready, given its output so far. */
  readonly isReady: (output: string) => boolean | Promise<boolean>;
  readonly readyWithinMs: number;
}

export interface Daemon {
  /** The server's own process id. */
  readonly pid: number;
  /** Sends a signal and resolves when the server is gone. */
  end(signal: "SIGTERM" | "SIGINT" | "SIGQUIT" | "SIGKILL"): Promise<void>;
  /** Everything it has written since this start. */
  output(): string;
}

/** $1 the folder to remove, the rest the command. fd 3 is the pipe whose end means that our process is gone. */
const SUPERVISOR = `
exec 3<&0
folder=$1; shift
"$@" </dev/null >>"$folder/output.log" 2>&1 3<&- &
server=$!
echo $server
( read -r _ <&3; : >"$folder/abandoned"; kill -9 $server ) >/dev/null 2>&1 &
watcher=$!
wait $server
status=$?
if [ -e "$folder/abandoned" ]; then
  # What the server has started is of the same process group.
  trap '' TERM; kill -TERM -$$; rm -rf "$folder"; kill -9 -$$
else kill -9 $watcher; fi
exit $status
`;
const LOOK_AGAIN_MS = 50;

/** @throws Error with the server's last lines when it ends, or is not ready in time. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const log = join(options.folder, "output.log");
  closeSync(openSync(log, "a"));
  if (options.user) chownSync(log, options.user.uid, options.user.gid);
  // A restarted server appends to the same file: only what it writes from here on is its own.
  const startsAt = statSync(log).size;
  const supervisor = Bun.spawn(["sh", "-c", SUPERVISOR, "sh", options.folder, ...options.command], {
    env: { ...options.env },
    cwd: options.folder,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
    detached: true,
    ...options.user,
  });
  // The server ends with this process; it must not keep this process from ending.
  supervisor.unref();
  const daemon: Daemon = {
    pid: await firstNumber(supervisor.stdout, options.name),
    async end(signal) {
      if (supervisor.exitCode === null) process.kill(daemon.pid, signal);
      await supervisor.exited;
    },
    output: () => readFileSync(log).subarray(startsAt).toString("utf8"),
  };
  await untilReady({ options, daemon, ended: () => supervisor.exitCode !== null });
  return daemon;
}

/** Makes a temporary folder for a server; when starting it in there fails, the folder goes again. */
export async function inNewFolder<T>(prefix: string, start: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  try {
    return await start(folder);
  } catch (thrown) {
    removeFolder(folder);
    throw thrown;
  }
}

/** Removes a folder of a server that has ended. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

async function firstNumber(stream: ReadableStream<Uint8Array>, name: string): Promise<number> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("\n")) break;
  }
  const pid = Number.parseInt(text, 10);
  if (Number.isNaN(pid)) throw new Error(`${name} could not be started`);
  return pid;
}

async function untilReady(work: {
  options: DaemonOptions;
  daemon: Daemon;
  ended: () => boolean;
}): Promise<void> {
  const { name, isReady, readyWithinMs } = work.options;
  const deadlineMs = performance.now() + readyWithinMs;
  while (!(await isReady(work.daemon.output()))) {
    const lastLines = () => work.daemon.output().trimEnd().split("\n").slice(-15).join("\n");
    if (work.ended()) throw new Error(`${name} ended while starting:\n${lastLines()}`);
    if (performance.now() > deadlineMs) {
      await work.daemon.end("SIGKILL");
      throw new Error(`${name} was not ready within ${readyWithinMs} ms:\n${lastLines()}`);
    }
    await Bun.sleep(LOOK_AGAIN_MS);
  }
}
