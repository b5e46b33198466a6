/**
 * Where Cauce keeps what it fetched or built, for all its checkouts of one user.
 *
 * In: the environment. Out: a folder's path; it is made by whoever writes into it first. Never here: data that
 * anyone would miss: deleting the folder costs one more fetch and nothing else.
 */
import { homedir } from "node:os";
import { join } from "node:path";

/** `$XDG_CACHE_HOME/cauce`, else `~/.cache/cauce`. */
export function cacheFolder(env: Readonly<Record<string, string | undefined>>): string {
  const base = env["XDG_CACHE_HOME"];
  return join(base?.startsWith("/") ? base : join(env["HOME"] || homedir(), ".cache"), "cauce");
}
