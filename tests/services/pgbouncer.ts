/**
 * PgBouncer in transaction mode in front of a Postgres.
 *
 * In: the server's address; pgbouncer is installed through apt where that is allowed. Out: the same databases by way of the pooler.
 */
import { chmodSync, chownSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureDebianProgram } from "./debian-program.ts";
import { startDaemon } from "./daemon.ts";
import { freePort } from "./port.ts";
import { unprivilegedUser } from "./postgres.ts";

export interface Pooler {
  /** Any database of the server, by way of the pooler. `prepare=false`: old poolers lose named statements. */
  url(direct: string): string;
  stop(): Promise<void>;
}

/** Few connections for all, so that clients share them. */
const SERVER_CONNECTIONS = 4;
const READY_WITHIN_MS = 10_000;

export async function startPooler(serverUrl: string): Promise<Pooler> {
  const program = await ensureDebianProgram(
    { program: "pgbouncer", why: "(for the tests behind a pooler)" },
    say,
  );
  const { hostname, port: serverPort, username } = new URL(serverUrl);
  const folder = mkdtempSync(join(tmpdir(), "cauce-pooler-"));
  const user = unprivilegedUser();
  if (user) chownSync(folder, user.uid, user.gid);
  chmodSync(folder, 0o755);
  const port = freePort();
  const users = join(folder, "users.txt");
  writeFileSync(users, `"${username}" ""\n`);
  const file = join(folder, "pgbouncer.ini");
  writeFileSync(
    file,
    `[databases]
* = user=${username} host=${hostname} port=${serverPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${SERVER_CONNECTIONS}
`,
  );
  const daemon = await startDaemon({
    name: "PgBouncer",
    command: [program, file],
    env: { ...process.env },
    folder,
    ...(user && { user }),
    isReady: (output) => output.includes("process up"),
    readyWithinMs: READY_WITHIN_MS,
  });
  return {
    url(direct) {
      const url = new URL(direct);
      url.port = String(port);
      url.searchParams.set("prepare", "false");
      return url.href;
    },
    stop: () => daemon.end("SIGINT"),
  };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
