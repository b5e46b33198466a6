/**
 * The npm packages of this checkout, installed when they are missing or out of date.
 *
 * In: the root of the checkout. Out: node_modules as bun.lock says, visibly, once, also when two commands start at
 * the same moment. Imported before anything else by every command, so it and all that it imports need no package.
 * Never here: other versions than the lock's; anything at all in production.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CauceError } from "../ground/errors.ts";
import { holdLock } from "../provision/lock.ts";
import { runStep, type Report } from "../provision/step.ts";

export interface DependencyOptions {
  /** The folder of bun.lock. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly report: Report;
}

/** The files that decide what is installed. */
const DECIDING = ["bun.lock", "package.json", "runtime/package.json"];
/** Holds the digest of the deciding files at the last installation. */
const MARKER = "node_modules/.cauce-installed";
const INSTALL_TIMEOUT_MS = 15 * 60_000;

/**
 * Makes sure that node_modules is what bun.lock says. Takes a few ms when it is. After an installation it does not
 * return: the process starts anew with the same arguments, under the same id, because Bun's resolver remembers that
 * the packages were missing.
 * @throws CauceError `unavailable` when the packages cannot be fetched, with bun's own words; `config_invalid` in
 * production when they are missing, because nothing is fetched there.
 */
export async function ensureDependencies(options: DependencyOptions): Promise<void> {
  if (options.env["NODE_ENV"] === "production") return refuseIfMissing(options.root);
  if (isInstalled(options.root)) return;
  const lock = join(options.root, ".cauce", "install.lock");
  await holdLock({ path: lock, title: "installing the packages", report: options.report }, async () => {
    if (!isInstalled(options.root)) await install(options);
  });
  startAnew(options.env);
}

function startAnew(env: DependencyOptions["env"]): never {
  if (process.execve === undefined) {
    throw new CauceError("unavailable", "the packages are installed now: start the same command again");
  }
  const [, ...rest] = process.argv;
  const settings = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return process.execve(
    process.execPath,
    [process.execPath, ...process.execArgv, ...rest],
    Object.fromEntries(settings),
  );
}

async function install({ root, env, report }: DependencyOptions): Promise<void> {
  const digest = digestOf(root);
  const installed = await runStep({
    title: "installing the packages of bun.lock",
    // The same bun that runs this file: none need be on the PATH.
    command: [process.execPath, "install", "--frozen-lockfile"],
    env,
    cwd: root,
    report,
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
  if (!installed.ok) {
    throw new CauceError(
      "unavailable",
      `the packages could not be installed: ${installed.reason}\nWhat helps: bun install --frozen-lockfile   (shows all of it)`,
      { retryable: true },
    );
  }
  mkdirSync(join(root, "node_modules"), { recursive: true });
  writeFileSync(join(root, MARKER), `${digest}\n`);
}

function isInstalled(root: string): boolean {
  try {
    return readFileSync(join(root, MARKER), "utf8").trim() === digestOf(root);
  } catch {
    return false;
  }
}

function digestOf(root: string): string {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const file of DECIDING) hasher.update(readFileSync(join(root, file)));
  return hasher.digest("hex");
}

function refuseIfMissing(root: string): void {
  if (existsSync(join(root, "node_modules"))) return;
  throw new CauceError(
    "config_invalid",
    "node_modules is missing, and with NODE_ENV=production nothing is fetched. " +
      "What helps: bun install --frozen-lockfile --production",
  );
}
