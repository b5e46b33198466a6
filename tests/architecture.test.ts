/** Imports point one way; a backward arrow fails here. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findViolations, type SourceFile } from "./architecture.ts";

const root = join(import.meta.dir, "..");

/** The runtime, and the application that uses it. */
function readSources(): SourceFile[] {
  return [...new Bun.Glob("{handlers,runtime,schema}/**/*.ts").scanSync({ cwd: root })]
    .filter((path) => !path.includes("node_modules/"))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

/** The runtime as it is, with one more file in it. */
function plant(path: string, text: string): string[] {
  return findViolations([...readSources().filter((file) => file.path !== path), { path, text }]);
}

test("imports of the runtime point one way, and packages stay in their rooms", () => {
  expect(findViolations(readSources())).toEqual([]);
});

test("a backward arrow is found", () => {
  const from = "runtime/handler/planted.ts";
  const complaint =
    "runtime/handler/planted.ts: handler must not import from engine (runtime/engine/process.ts)";
  expect(plant(from, 'import { process } from "../engine/process.ts";')).toContain(complaint);
  expect(plant(from, 'export * from "../engine/process.ts";')).toContain(complaint);
  expect(plant(from, 'import type {\n  A,\n} from "../engine/process.ts";')).toContain(complaint);
  expect(plant(from, 'const a = await import("../engine/process.ts");')).toContain(complaint);
  expect(plant(from, 'import "../engine/process.ts";')).toContain(complaint);
  expect(plant(from, '// import "../engine/process.ts";\nimport "../ground/clock.ts";')).not.toContain(
    complaint,
  );
});

test("the real forms are known to nobody but those who put everything together", () => {
  expect(plant("runtime/engine/planted.ts", 'import { x } from "../store/postgres.ts";')).toContain(
    "runtime/engine/planted.ts: engine must not import from store (runtime/store/postgres.ts)",
  );
  expect(plant("runtime/engine/planted.ts", 'import { x } from "../store/store.ts";')).not.toContain(
    "runtime/engine/planted.ts: engine must not import from store (runtime/store/store.ts)",
  );
});

test("a package in another's room is found", () => {
  expect(plant("runtime/engine/planted.ts", 'import { dlopen } from "bun:ffi";')).toContain(
    "runtime/engine/planted.ts: only kafka may import bun:ffi",
  );
  expect(plant("runtime/main/planted.ts", 'import { sql } from "drizzle-orm/pg-core";')).toContain(
    "runtime/main/planted.ts: only store may import drizzle-orm",
  );
});

test("an application that reaches into the runtime by path is found", () => {
  expect(plant("handlers/planted.ts", 'import { handler } from "../runtime/index.ts";')).toContain(
    'handlers/planted.ts: imports ../runtime/index.ts; the application imports the runtime as "cauce"',
  );
});

test("a room that is not in the table is found", () => {
  expect(plant("runtime/attic/planted.ts", 'import "../ground/clock.ts";')).toContain(
    "runtime/attic/planted.ts: the room attic is not in the table of tests/architecture.ts",
  );
});

test("a host module behind the entry is found, however deep; a type is not one", () => {
  const files = [
    { path: "runtime/index.ts", text: 'export { a } from "./handler/a.ts";' },
    {
      path: "runtime/handler/a.ts",
      text: 'import { b } from "../ground/b.ts";\nimport type { S } from "bun";',
    },
    { path: "runtime/ground/b.ts", text: 'import { readFileSync } from "node:fs";' },
  ];
  expect(findViolations(files)).toEqual([
    "the entry cauce reaches node:fs through runtime/index.ts → runtime/handler/a.ts → runtime/ground/b.ts",
  ]);
});
