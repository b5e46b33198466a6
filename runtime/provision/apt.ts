/**
 * Debian packages, installed where we may (root on Debian), and said aloud.
 *
 * In: package names and what they are for. Out: installed, or the reason why not with the command that does it.
 * Never here: removing or upgrading anything, adding sources, sudo.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { holdLock } from "./lock.ts";
import { mayUseApt, type Platform } from "./platform.ts";
import { runStep, type Report } from "./step.ts";

export interface AptRequest {
  readonly packages: readonly string[];
  /** What they are needed for: "to fetch librdkafka". */
  readonly why: string;
  readonly platform: Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly report: Report;
}

export type AptResult =
  { readonly ok: true } | { readonly ok: false; readonly reason: string; readonly help: string };

/** Longest time one apt-get call may take: a JRE over a slow line. */
const APT_TIMEOUT_MS = 15 * 60_000;
/** dpkg's own lock: another apt-get on this machine is waited for this long, in seconds. */
const DPKG_LOCK_S = 300;

/** Installs packages through apt-get; refreshes the package lists first where there are none, or after a failure. */
export async function installDebianPackages(request: AptRequest): Promise<AptResult> {
  const help = installCommand(request);
  if (!mayUseApt(request.platform)) {
    const why = request.platform.debian ? "only root may install packages" : "this is no Debian system";
    return { ok: false, reason: `${request.packages.join(", ")} must be installed (${why})`, help };
  }
  const lock = {
    path: join(tmpdir(), "cauce-apt.lock"),
    title: "installing packages",
    report: request.report,
  };
  return await holdLock(lock, async () => {
    const startServersAgain = keepServersDown();
    try {
      if (!hasPackageLists()) await refreshLists(request);
      let installed = await install(request);
      if (!installed.ok && (await refreshLists(request))) installed = await install(request);
      return installed.ok ? { ok: true } : { ok: false, reason: installed.reason, help };
    } finally {
      startServersAgain();
    }
  });
}

/** The command a person runs instead. */
export function installCommand(request: Pick<AptRequest, "packages" | "platform">): string {
  const command = `apt-get install -y ${request.packages.join(" ")}`;
  if (!request.platform.debian) return `install what Debian calls ${request.packages.join(", ")}`;
  return request.platform.root ? command : `sudo ${command}`;
}

/**
 * Debian starts a server as soon as its package is installed, unless this file says no. What we install is run by
 * hand or not at all. A file that someone else put there is left alone.
 */
const SERVICE_POLICY = "/usr/sbin/policy-rc.d";
const NO_SERVERS =
  "#!/bin/sh\n# Cauce installs packages and wants no server started by that; removed when done.\nexit 101\n";

function keepServersDown(): () => void {
  const ours = !existsSync(SERVICE_POLICY) || readFileSync(SERVICE_POLICY, "utf8") === NO_SERVERS;
  if (!ours) return () => undefined;
  writeFileSync(SERVICE_POLICY, NO_SERVERS, { mode: 0o755 });
  return () => rmSync(SERVICE_POLICY, { force: true });
}

function install(request: AptRequest) {
  return runStep({
    title: `installing ${request.packages.join(", ")} through apt ${request.why}`,
    command: [
      "/usr/bin/apt-get",
      "-o",
      `DPkg::Lock::Timeout=${DPKG_LOCK_S}`,
      "install",
      "-y",
      "--no-install-recommends",
      ...request.packages,
    ],
    env: aptEnvironment(request),
    report: request.report,
    timeoutMs: APT_TIMEOUT_MS,
  });
}

async function refreshLists(request: AptRequest): Promise<boolean> {
  const refreshed = await runStep({
    title: "refreshing apt's package lists",
    command: ["/usr/bin/apt-get", "-o", `DPkg::Lock::Timeout=${DPKG_LOCK_S}`, "update"],
    env: aptEnvironment(request),
    report: request.report,
    timeoutMs: APT_TIMEOUT_MS,
  });
  return refreshed.ok;
}

function hasPackageLists(): boolean {
  try {
    return readdirSync("/var/lib/apt/lists").some((name) => /_Packages(\.\w+)?$/.test(name));
  } catch {
    return false;
  }
}

function aptEnvironment(request: AptRequest): Record<string, string | undefined> {
  const path = request.env["PATH"] ?? "";
  return {
    ...request.env,
    PATH: `${path}${path === "" ? "" : ":"}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    DEBIAN_FRONTEND: "noninteractive",
    LC_ALL: "C",
  };
}
