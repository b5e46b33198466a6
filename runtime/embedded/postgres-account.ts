/**
 * As whom Postgres runs, and where its data may lie.
 *
 * Postgres refuses to run as root. In: who we are and the state folder. Out: another account when we are root, and
 * a folder that this account can reach. Never here: changes to folders above the state folder.
 */
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { CauceError } from "../ground/errors.ts";
import type { State } from "./state.ts";

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Where Postgres's data and, where needed, a copy of its binaries lie, and as whom it runs (null: as we do). */
export interface Place {
  readonly home: string;
  readonly dataDir: string;
  readonly account: Account | null;
}

/** Accounts that may own the data when we are root, best first. Every Linux has the second. */
const ACCOUNT_NAMES = ["postgres", "nobody"];
/** Used when an unprivileged account cannot reach the state folder, as below /root (0700). */
const SHARED_HOME = "/var/lib/cauce";

/**
 * Chooses once; `recordedDataDir` is what was chosen before and always wins, so that data never seems to vanish.
 * @throws CauceError `embedded_failed` when we are root and no other account exists.
 */
export function placePostgres(state: State, recordedDataDir: string | null): Place {
  if (process.getuid?.() !== 0) return placeAt(recordedDataDir ?? join(state.postgres.dir, "data"), null);
  const account = unprivilegedAccount();
  for (const dir of [state.dir, state.postgres.dir]) if (existsSync(dir)) chmodSync(dir, 0o711);
  const dataDir = recordedDataDir ?? join(reachableHome(state, account), "data");
  const owner = existsSync(dataDir) ? statSync(dataDir) : null;
  return placeAt(dataDir, owner === null || owner.uid === 0 ? account : { uid: owner.uid, gid: owner.gid });
}

function reachableHome(state: State, account: Account): string {
  if (canReach(account, state.postgres.dir)) return state.postgres.dir;
  const name = createHash("sha256").update(state.dir).digest("hex").slice(0, 16);
  const home = join(SHARED_HOME, name);
  mkdirSync(home, { recursive: true, mode: 0o711 });
  return home;
}

function placeAt(dataDir: string, account: Account | null): Place {
  return { home: dirname(dataDir), dataDir, account };
}

function unprivilegedAccount(): Account {
  const lines = existsSync("/etc/passwd") ? readFileSync("/etc/passwd", "utf8").split("\n") : [];
  for (const name of ACCOUNT_NAMES) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(":") ?? [];
    if (uid !== undefined && gid !== undefined && Number(uid) > 0)
      return { uid: Number(uid), gid: Number(gid) };
  }
  throw new CauceError(
    "embedded_failed",
    "Postgres does not run as root, and /etc/passwd has neither postgres nor nobody to run it as: " +
      "set DATABASE_URL, or start Cauce as an ordinary user",
  );
}

/** May this account (without further groups) walk from `/` down into this folder? */
export function canReach(account: Account, folder: string): boolean {
  const { uid, gid, mode } = statSync(folder);
  const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
  if ((mode & bit) === 0) return false;
  const parent = dirname(folder);
  return parent === folder || canReach(account, parent);
}
