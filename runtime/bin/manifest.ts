/**
 * `cauce manifest`: writes `_manifest.ts` into the handlers folder, for an image or a bundle.
 *
 * In: a project. Out: the file, after every handler and the application were loaded once; else why not. Starts nothing.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { handlerFilesIn, MANIFEST_FILE, manifestText } from "../main/manifest.ts";
import { handlersFolder, loadProject } from "../main/project.ts";
import type { CommandOptions } from "./run-handlers.ts";

export async function manifest({ projectDir, console }: CommandOptions): Promise<number> {
  const dir = handlersFolder(projectDir);
  const path = join(dir, MANIFEST_FILE);
  // An older one would be asked instead of the folder.
  rmSync(path, { force: true });
  const { handlers } = await loadProject(projectDir);
  writeFileSync(path, manifestText(handlerFilesIn(dir)));
  console.write(`${path}: ${handlers.map(({ name }) => name).join(", ")}\n`);
  return 0;
}
