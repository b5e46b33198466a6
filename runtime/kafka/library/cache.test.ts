import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLibraryCache } from "./cache.ts";

const folder = mkdtempSync(join(tmpdir(), "cauce-cache-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string): string {
  const path = join(folder, `${crypto.randomUUID()}.so`);
  writeFileSync(path, content);
  return path;
}

test("hands out what was kept, the newest version first, for this processor only", () => {
  const cacheDir = mkdtempSync(join(folder, "a-"));
  const cache = openLibraryCache(cacheDir, "x64");
  expect(cache.list()).toEqual({ paths: [], damaged: [] });
  const older = cache.keep(file("older"), "2.9.0");
  const newer = cache.keep(file("newer"), "2.16.0");
  openLibraryCache(cacheDir, "arm64").keep(file("other"), "2.17.0");
  expect(cache.list()).toEqual({ paths: [newer, older], damaged: [] });
  expect(readFileSync(newer, "utf8")).toBe("newer");
  expect(newer).toEndWith("/librdkafka.so");
});

test("a damaged library is named and not handed out, and keeping it again repairs it", () => {
  const cache = openLibraryCache(mkdtempSync(join(folder, "b-")), "x64");
  const path = cache.keep(file("whole"), "2.16.0");
  writeFileSync(path, "half");
  expect(cache.list()).toEqual({ paths: [], damaged: [path] });
  expect(cache.keep(file("whole"), "2.16.0")).toBe(path);
  expect(cache.list().paths).toEqual([path]);
});

test("keeping the same library twice gives the same path", () => {
  const cache = openLibraryCache(mkdtempSync(join(folder, "c-")), "x64");
  expect(cache.keep(file("same"), "2.16.0")).toBe(cache.keep(file("same"), "2.16.0"));
});
