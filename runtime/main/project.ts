/**
 * A project: its handlers and, where it has one, its application.
 *
 * In: a folder with a `package.json`. Out: what its `cauce` field names, loaded.
 * `{ "cauce": { "handlers": "handlers", "app": "handlers/shared/app.ts" } }` are the field's two entries; without it the
 * handlers are looked for in `handlers/` and there is no application. Never here: starting anything.
 */
import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { application, type Application } from "../application/application.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import type { Handler } from "../handler/handler.ts";
import { loadHandlers } from "../handler/loader.ts";
import { openHandlerFolder } from "./manifest.ts";

export interface Project {
  readonly dir: string;
  readonly handlers: readonly Handler[];
  readonly application: Application;
}

/** @throws CauceError `declaration_invalid` when a handler or the application cannot be used. */
export async function loadProject(dir: string): Promise<Project> {
  const { name, app } = readPackage(dir);
  const handlersDir = handlersFolder(dir);
  const handlers = await loadHandlers(await openHandlerFolder(handlersDir, importDefault));
  if (handlers.length === 0) {
    throw new CauceError(
      "declaration_invalid",
      `there is no handler in ${handlersDir}: put a file with \`export default handler({ on, handle })\` into it`,
    );
  }
  return { dir, handlers, application: app === null ? bare(name) : await loadApplication(resolve(dir, app)) };
}

/** Where a project keeps its handlers. @throws CauceError `declaration_invalid` when there is no such folder. */
export function handlersFolder(dir: string): string {
  const folder = resolve(dir, readPackage(dir).handlers);
  if (existsSync(folder)) return folder;
  throw new CauceError(
    "declaration_invalid",
    `there is no folder ${folder}: put one handler file a topic into it`,
  );
}

interface PackageFields {
  readonly name: string;
  readonly handlers: string;
  readonly app: string | null;
}

function readPackage(dir: string): PackageFields {
  const path = join(dir, "package.json");
  const text = existsSync(path) ? readFileSync(path, "utf8") : "{}";
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new CauceError("declaration_invalid", `${path} is not JSON: ${messageOf(cause)}`, { cause });
  }
  const cauce = field(parsed, "cauce");
  const name = field(parsed, "name");
  const handlers = field(cauce, "handlers");
  const app = field(cauce, "app");
  return {
    name: (typeof name === "string" ? name : basename(resolve(dir))).replace(/[^a-zA-Z0-9._-]+/g, "-"),
    handlers: typeof handlers === "string" ? handlers : "handlers",
    app: typeof app === "string" ? app : null,
  };
}

/** An application that hands nothing to its handlers: what a folder of handlers alone is. */
function bare(name: string): Application {
  return application({
    name,
    settings: {},
    start: () => Promise.resolve({ deps: {}, close: () => Promise.resolve() }),
  });
}

async function loadApplication(file: string): Promise<Application> {
  const found = await importDefault(file);
  if (
    typeof found !== "object" ||
    found === null ||
    !("start" in found) ||
    !("settings" in found) ||
    !("name" in found)
  ) {
    throw new CauceError(
      "declaration_invalid",
      `${file}: its default export is no application; write \`export default application({ name, settings, start })\``,
    );
  }
  return found as Application;
}

async function importDefault(file: string): Promise<unknown> {
  try {
    return field(await import(pathToFileURL(file).href), "default");
  } catch (cause) {
    const line = field(field(cause, "position"), "line");
    if (typeof line !== "number") throw cause;
    const column = String(field(field(cause, "position"), "column"));
    throw new CauceError("declaration_invalid", `${messageOf(cause)} (line ${line}, column ${column})`, {
      cause,
    });
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
