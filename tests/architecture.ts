/**
 * The rooms of the runtime and the ways in which imports may point.
 *
 * In: files with their text. Out: every import that points backward, leaves its room for a package that belongs to
 * another, or ties the entry `cauce` to a host. Never here: reading the disk.
 */
import { dirname, join } from "node:path";

export interface SourceFile {
  /** Path from the root, such as `runtime/engine/process.ts`. */
  readonly path: string;
  readonly text: string;
}

/** Files that hold an interface and no work: every room may know them. */
const CONTRACTS = [
  "runtime/bus/bus.ts",
  "runtime/store/store.ts",
  "runtime/store/fences.ts",
  "runtime/store/turns.ts",
  "runtime/store/message.ts",
  "runtime/application/application.ts",
  "runtime/ingress/routes.ts",
  "runtime/watchdog/watch.ts",
];

/**
 * Room → the rooms it may import from, beside itself and the contracts. Read from the bottom: the ground knows nobody.
 * `*` is for the few that put everything together.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  // Start order and commands: they alone know the real forms.
  bin: ["*"],
  main: ["*"],
  testing: ["*"],
  // Doors, and the core that they share.
  engine: ["ground", "handler", "observe"],
  scheduler: ["ground", "handler", "observe", "engine"],
  // Into the schedule by somebody else's transaction.
  outbox: ["ground", "handler", "engine", "store", "application"],
  ingress: ["ground", "handler", "observe", "config"],
  // What an application hands over.
  application: ["ground", "handler", "config"],
  // Real forms behind the interfaces.
  bus: ["ground", "kafka"],
  store: ["ground"],
  kafka: ["ground", "provision"],
  embedded: ["ground", "provision", "kafka"],
  watchdog: ["ground"],
  // What a user declares.
  handler: ["ground"],
  // Ground.
  config: ["ground"],
  observe: ["ground"],
  provision: ["ground"],
  ground: [],
};

/** Packages that belong to one room of the runtime (and to the tests of any). */
const OWNED_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "bun:ffi": ["kafka"],
  postgres: ["store"],
  "drizzle-orm": ["store"],
  elysia: ["ingress"],
  "@elysiajs/openapi": ["ingress"],
};

/** Entry files at the top of runtime/ may import from any room: they only pass names on. */
const ENTRY = "runtime/index.ts";
/** What the entry `cauce` may need at run time besides files of its own. */
const HOSTLESS_PACKAGES = ["@standard-schema/spec"];

/** Every violation, as a sentence. */
export function findViolations(files: readonly SourceFile[]): string[] {
  return [...files.flatMap(violationsIn), ...hostModulesBehindEntry(files)];
}

function violationsIn(file: SourceFile): string[] {
  const from = roomOf(file.path);
  if (from === null) return pathsIntoRuntime(file);
  if (isTest(file.path)) return [];
  return importsOf(file.text).flatMap(({ target }) => {
    const complaint = target.startsWith(".")
      ? arrowComplaint(from, resolve(file.path, target))
      : packageComplaint(from, target);
    return complaint === null ? [] : [`${file.path}: ${complaint}`];
  });
}

/** The application uses the runtime as any user would: by the package's name. */
function pathsIntoRuntime(file: SourceFile): string[] {
  return importsOf(file.text)
    .filter(({ target }) => target.startsWith(".") && roomOf(resolve(file.path, target)) !== null)
    .map(({ target }) => `${file.path}: imports ${target}; the application imports the runtime as "cauce"`);
}

function arrowComplaint(from: string, target: string): string | null {
  const to = roomOf(target);
  if (to === null) return `imports ${target}, which is no part of the runtime`;
  if (to === from || from === "" || CONTRACTS.includes(target)) return null;
  const allowed = MAY_IMPORT[from];
  if (!allowed) return `the room ${from} is not in the table of tests/architecture.ts`;
  if (allowed.includes("*") || allowed.includes(to)) return null;
  return `${from} must not import from ${to === "" ? "an entry" : to} (${target})`;
}

function packageComplaint(from: string, target: string): string | null {
  const owner = Object.entries(OWNED_PACKAGES).find(
    ([name]) => target === name || target.startsWith(`${name}/`),
  );
  if (!owner || owner[1].includes(from)) return null;
  return `only ${owner[1].join(" and ")} may import ${owner[0]}`;
}

/** Follows what the entry needs at run time; types are gone by then. */
function hostModulesBehindEntry(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file.text]));
  const seen = new Set<string>();
  const complaints: string[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const { target, typeOnly } of importsOf(byPath.get(path) ?? "")) {
      if (typeOnly) continue;
      const steps = [...way, path];
      if (target.startsWith(".")) visit(resolve(path, target), steps);
      else if (!HOSTLESS_PACKAGES.includes(target)) {
        complaints.push(`the entry cauce reaches ${target} through ${steps.join(" → ")}`);
      }
    }
  };
  visit(ENTRY, []);
  return complaints;
}

interface Import {
  readonly target: string;
  readonly typeOnly: boolean;
}

/** Static, dynamic and re-exporting imports of one file; comments do not count. */
function importsOf(text: string): Import[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const form =
    /\b(?:import|export)\s+(type\s+)?(?:[\w*{][^;"'`]*?\sfrom\s+)?"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/g;
  return [...code.matchAll(form)].map(([whole, type, named, dynamic]) => ({
    target: named ?? dynamic ?? "",
    typeOnly: type !== undefined || onlyTypesInside(whole),
  }));
}

/** `import { type A, type B } from`: nothing of it is left at run time. */
function onlyTypesInside(statement: string): boolean {
  const names = /\{([^}]*)\}/
    .exec(statement)?.[1]
    ?.split(",")
    .filter((name) => name.trim() !== "");
  return names !== undefined && names.length > 0 && names.every((name) => /^\s*type\s/.test(name));
}

/** `runtime/engine/x.ts` → "engine"; a file directly in runtime/ → ""; anything else → null. */
function roomOf(path: string): string | null {
  const [top, room, ...rest] = path.split("/");
  if (top !== "runtime" || room === undefined) return null;
  return rest.length === 0 ? "" : room;
}

function resolve(from: string, target: string): string {
  return join(dirname(from), target);
}

function isTest(path: string): boolean {
  return path.endsWith(".test.ts");
}
