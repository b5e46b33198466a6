/**
 * A user's project: an empty folder with the package in it, and nothing of this checkout.
 *
 * In: nothing. Out: the folder, and commands that run in it as from a shell. `close` ends what they left behind.
 */
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { postgresDataDir } from "../../runtime/embedded/postgres.ts";
import { stopEmbedded } from "../../runtime/embedded/stop.ts";
import { MARK_VARIABLE } from "../leftovers.ts";

export interface UserProject {
  readonly dir: string;
  /** Every path in the package's file. */
  readonly packed: readonly string[];
  /** Runs bun with these words until it ends. */
  run(words: readonly string[], settings?: Settings): Promise<Ended>;
  /** Starts bun with these words; what it writes is gathered. */
  start(words: readonly string[], settings?: Settings): Started;
  close(): Promise<void>;
}

export type Settings = Readonly<Record<string, string>>;

export interface Ended {
  readonly code: number;
  readonly output: string;
}

export interface Started {
  output(): string;
  /** Resolves with the match once the text matches; rejects when the process ends without it. */
  says(wanted: RegExp): Promise<RegExpExecArray>;
  end(signal: "SIGINT" | "SIGTERM"): Promise<number>;
}

const root = join(import.meta.dir, "../..");
const INHERITED = [
  "PATH",
  "HOME",
  "LANG",
  "XDG_CACHE_HOME",
  "CAUCE_LIBRDKAFKA",
  MARK_VARIABLE,
  // Where packages come from is the machine's business.
  ...Object.keys(process.env).filter((name) =>
    /^(npm_config_|bun_config_|https?_proxy$|no_proxy$)/i.test(name),
  ),
];

/** Packs `runtime/` and installs the file, and valibot, into an empty folder. */
export async function newUserProject(): Promise<UserProject> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "cauce-package-")));
  // As root, Postgres runs under another account, which must be able to walk through.
  chmodSync(folder, 0o711);
  const dir = join(folder, "guesthouse");
  mkdirSync(dir);
  const pack = await runBun(join(root, "runtime"), ["pm", "pack", "--destination", folder]);
  if (pack.code !== 0) throw new Error(pack.output);
  const [file = ""] = [...new Bun.Glob("*.tgz").scanSync({ cwd: folder, absolute: true })];
  const added = await runBun(dir, ["add", file, "valibot@1.5.0"]);
  if (added.code !== 0) throw new Error(added.output);
  const listed = Bun.spawnSync(["tar", "tzf", file]).stdout.toString();
  const running = new Set<Bun.Subprocess>();
  return {
    dir,
    packed: listed.split("\n").filter((path) => path !== ""),
    run: (words, settings) => runBun(dir, words, settings),
    start(words, settings) {
      const child = spawnBun(dir, words, settings);
      running.add(child);
      return watch(child);
    },
    async close() {
      for (const child of running) child.kill("SIGKILL");
      await Promise.all([...running].map((child) => child.exited));
      const stateDir = join(dir, ".cauce");
      const dataDir = postgresDataDir(stateDir);
      await stopEmbedded({ stateDir, report: () => {} });
      if (dataDir !== null && !dataDir.startsWith(folder)) rmSync(dirname(dataDir), { recursive: true });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function spawnBun(cwd: string, words: readonly string[], settings: Settings = {}) {
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Bun.spawn([process.execPath, ...words], {
    cwd,
    env: { ...Object.fromEntries(inherited), PORT: "0", NO_COLOR: "1", ...settings },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function runBun(cwd: string, words: readonly string[], settings?: Settings): Promise<Ended> {
  const child = spawnBun(cwd, words, settings);
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, output: stdout + stderr };
}

function watch(child: Bun.Subprocess<"ignore", "pipe", "pipe">): Started {
  let text = "";
  let ended = false;
  const watchers = new Set<() => void>();
  const tell = () => watchers.forEach((call) => call());
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      tell();
    }
  };
  const exited = Promise.all([child.exited, read(child.stdout), read(child.stderr)]).then(([code]) => {
    ended = true;
    tell();
    return code;
  });
  return {
    output: () => text,
    says(wanted) {
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
      const look = () => {
        const match = wanted.exec(text);
        if (match !== null) resolve(match);
        else if (ended) reject(new Error(`it ended without saying ${String(wanted)}:\n${text}`));
      };
      watchers.add(look);
      look();
      return promise.finally(() => watchers.delete(look));
    },
    async end(signal) {
      child.kill(signal);
      return await exited;
    },
  };
}
