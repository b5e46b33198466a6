/** The shim built ahead of time: taken where it lies beside its library, and never one of other C code. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCrossing, openLibrary, shimAheadOf } from "cauce/kafka";
import { buildShim } from "../../deploy/build-shim.ts";
import { testLibrary } from "../kafka/library.ts";
import { ensureCompiler } from "../kafka/fuzz/run.ts";

const folder = mkdtempSync(join(tmpdir(), "cauce-shim-"));
let original: string;

beforeAll(async () => {
  await ensureCompiler();
  original = (await testLibrary()).path;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A library of its own: a crossing is made once per path. */
function libraryNamed(name: string): string {
  const path = join(folder, name);
  copyFileSync(original, path);
  return path;
}

test("a shim that was built beside its library is opened, not compiled, and passes the self-test", () => {
  const path = libraryNamed("ahead.so");
  const shim = buildShim(path);
  expect(existsSync(shim)).toBeTrue();
  expect(openCrossing(openLibrary(path), "shim")).toMatchObject({ kind: "shim", builtAhead: true });
});

test("without one, or beside one of other C code, it is compiled at start", () => {
  const path = libraryNamed("older.so");
  const shim = buildShim(libraryNamed("other.so"));
  renameSync(shim, `${path}.crossing-0123456789abcdef.so`);
  expect(existsSync(shimAheadOf(path))).toBeFalse();
  expect(openCrossing(openLibrary(path), "shim")).toMatchObject({ kind: "shim", builtAhead: false });
});
