/**
 * Finds handlers: every file in a folder that has one as its default export.
 *
 * In: a folder. Out: handlers with their names, sorted. `*.test.ts`, `*.d.ts`, folders and files that begin with a dot or
 * an underscore are not picked up. Never here: running them.
 */
import { CauceError, messageOf } from "../ground/errors.ts";
import type { Handler } from "./handler.ts";

export interface HandlerFolder {
  /** Names of the files in the folder; folders are left out by the caller. */
  readonly files: readonly string[];
  /** Imports one of them and answers its default export. */
  readonly load: (file: string) => Promise<unknown>;
}

/**
 * Loads all handlers. A handler without a name gets its file's.
 * @throws CauceError `declaration_invalid` that lists every file that cannot be used, and why.
 */
export async function loadHandlers({ files, load }: HandlerFolder): Promise<readonly Handler[]> {
  const handlers: Handler[] = [];
  const complaints: string[] = [];
  const owners = new Map<string, string>();
  for (const file of files.filter(isHandlerFile).toSorted()) {
    try {
      const found = await load(file);
      if (!isHandler(found)) {
        complaints.push(
          `${file}: its default export is no handler; write \`export default handler({ on, handle })\``,
        );
        continue;
      }
      const named = found.name === "" ? { ...found, name: file.replace(/\.[cm]?[jt]s$/, "") } : found;
      const other = owners.get(named.name);
      if (other !== undefined)
        complaints.push(`${file}: the name "${named.name}" is taken by ${other}; names are identities`);
      owners.set(named.name, file);
      handlers.push(Object.freeze(named));
    } catch (error) {
      complaints.push(`${file}: ${messageOf(error)}`);
    }
  }
  if (complaints.length > 0) {
    throw new CauceError(
      "declaration_invalid",
      `handlers that cannot be used:\n  ${complaints.join("\n  ")}`,
    );
  }
  return handlers;
}

/** Those of the handlers that `RUN` names, by their name or by their topic's. An empty selection means all. */
export function selectHandlers(
  handlers: readonly Handler[],
  selection: readonly string[],
): readonly Handler[] {
  return selection.length === 0
    ? handlers
    : handlers.filter((handler) => selection.includes(handler.name) || selection.includes(handler.on.name));
}

/** Could this file hold a handler, by its name? */
export function isHandlerFile(file: string): boolean {
  return /\.[cm]?[jt]s$/.test(file) && !/\.(test|d)\.[cm]?[jt]s$/.test(file) && !/^[._]/.test(file);
}

function isHandler(value: unknown): value is Handler {
  return (
    typeof value === "object" &&
    value !== null &&
    "on" in value &&
    "handle" in value &&
    typeof value.handle === "function"
  );
}
