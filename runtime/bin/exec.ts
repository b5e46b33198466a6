/**
 * `cauce exec FILE …`: a command of the project, with packages installed and a console ready.
 * The file's default export is called with the same options as every command, and answers an exit code.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { CommandOptions } from "./run-handlers.ts";

export async function exec(options: CommandOptions): Promise<number> {
  const [file, ...rest] = options.arguments;
  if (file === undefined) {
    options.console.fail("exec needs a file: cauce exec FILE …");
    return 2;
  }
  const loaded: { default?: unknown } = await import(pathToFileURL(resolve(options.projectDir, file)).href);
  if (typeof loaded.default !== "function") {
    options.console.fail(`${file} has no function as its default export`);
    return 2;
  }
  const code: unknown = await loaded.default({ ...options, arguments: rest });
  return typeof code === "number" ? code : 0;
}
