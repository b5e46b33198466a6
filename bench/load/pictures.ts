/**
 * `bun bench/load/pictures.ts RESULT.json FOLDER PREFIX NAME…`: plots of a run as files of their own, for a document.
 *
 * In: what `bun run loadgen --json` wrote, which plots. Out: FOLDER/PREFIX-NAME.svg. Never here: measuring.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { picturesOf } from "../../handlers/shared/loadgen/pictures.ts";
import type { LoadResult } from "../../handlers/shared/loadgen/result.ts";

const [path, folder, prefix, ...names] = process.argv.slice(2);
if (path === undefined || folder === undefined || prefix === undefined) {
  throw new Error("usage: bun bench/load/pictures.ts RESULT.json FOLDER PREFIX NAME…");
}
const { report } = JSON.parse(await readFile(path, "utf8")) as LoadResult;
for (const { name, svg } of picturesOf(report, true)) {
  if (names.includes(name)) await writeFile(join(folder, `${prefix}-${name}.svg`), svg);
}
