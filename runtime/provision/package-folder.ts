/**
 * Where an npm package lies, asked of the file system.
 *
 * In: a package's name. Out: its folder, or null. Bun's own resolver remembers folders that it did not find, so a
 * process that has just installed the packages cannot ask it. Never here: loading the package.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** Looks in `node_modules` of each folder from `from` upwards, as resolvers do. */
export function packageFolder(name: string, from: string): string | null {
  const folder = join(from, "node_modules", name);
  if (existsSync(join(folder, "package.json"))) return folder;
  const above = dirname(from);
  return above === from ? null : packageFolder(name, above);
}
