import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyNative, linkLibraries } from "./postgres-native.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A package's `native` folder as it is unpacked: libraries without the links to their short names. */
function unpacked(links: readonly { source: string; target: string }[]): string {
  const root = mkdtempSync(join(tmpdir(), "cauce-native-"));
  folders.push(root);
  const dir = join(root, "native");
  mkdirSync(join(dir, "lib"), { recursive: true });
  writeFileSync(join(dir, "lib", "libpq.so.5.18"), "the library");
  writeFileSync(join(dir, "pg-symlinks.json"), JSON.stringify(links));
  return dir;
}

const libpq = { source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5" };

test("a library is linked under the name by which programs look for it", () => {
  const dir = unpacked([libpq]);
  linkLibraries(dir);
  linkLibraries(dir);
  expect(readFileSync(join(dir, "lib", "libpq.so.5"), "utf8")).toBe("the library");
});

test.each([false, true])(
  "a copy has the links too, and they point inside it (linked before: %p)",
  async (linkedBefore) => {
    const dir = unpacked([libpq]);
    if (linkedBefore) linkLibraries(dir);
    const home = mkdtempSync(join(tmpdir(), "cauce-home-"));
    folders.push(home);
    const copy = await copyNative({ dir, version: "18.4.0" }, { home, report: () => {} });
    expect(readlinkSync(join(copy, "lib", "libpq.so.5"))).toBe("libpq.so.5.18");
  },
);

test("a list that points out of the folder is not followed", () => {
  const dir = unpacked([{ source: "native/lib/libpq.so.5.18", target: "native/../outside" }]);
  linkLibraries(dir);
  expect(() => readlinkSync(join(dir, "..", "outside"))).toThrow();
});
