/**
 * The manifest of a handlers folder: `_manifest.ts`, written by `cauce manifest`, names what is run there.
 *
 * In: a folder. Out: its files and how to load them, from the manifest where there is one; or the manifest's text.
 * A folder that holds more or less than its manifest says is refused: an image runs what was built, and nothing is left
 * out in silence. Never here: what a handler is (handler/loader.ts).
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { CauceError } from "../ground/errors.ts";
import { isHandlerFile, type HandlerFolder } from "../handler/loader.ts";

/** Begins with an underscore, so that it is no handler itself. */
export const MANIFEST_FILE = "_manifest.ts";

/** Loads one file of the folder and answers its default export. */
type ImportDefault = (path: string) => Promise<unknown>;

/** @throws CauceError `declaration_invalid` when folder and manifest differ. */
export async function openHandlerFolder(dir: string, importDefault: ImportDefault): Promise<HandlerFolder> {
  const files = handlerFilesIn(dir);
  const path = join(dir, MANIFEST_FILE);
  if (!existsSync(path)) return { files, load: (file) => importDefault(join(dir, file)) };
  const listed = (await importDefault(path)) as Readonly<Record<string, unknown>>;
  const differing = [
    ...files.filter((file) => !(file in listed)).map((file) => `${file} is not in it`),
    ...Object.keys(listed)
      .filter((file) => !files.includes(file))
      .map((file) => `${file} is in it and not in the folder`),
  ];
  if (differing.length > 0)
    throw new CauceError(
      "declaration_invalid",
      `${path} is not of this folder: ${differing.join("; ")}. Run \`cauce manifest\` again, or remove it`,
    );
  return { files, load: (file) => Promise.resolve(listed[file]) };
}

/** Names of the files of a folder that may hold handlers, sorted. */
export function handlerFilesIn(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isFile() && isHandlerFile(entry.name))
    .map(({ name }) => name)
    .toSorted();
}

/** TypeScript that imports the files one by one: no folder is read where it runs, and a bundler sees all of them. */
export function manifestText(files: readonly string[]): string {
  return [
    "// Written by `cauce manifest`: the handlers that are run from this folder. Never edited, never committed.",
    ...files.map((file, index) => `import handler${index} from ${JSON.stringify(`./${file}`)};`),
    "",
    "export default {",
    ...files.map((file, index) => `  ${JSON.stringify(file)}: handler${index},`),
    "};",
    "",
  ].join("\n");
}
