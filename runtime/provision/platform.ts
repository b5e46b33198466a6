/**
 * What this machine is, as far as it decides what can be fetched, built or installed on it.
 *
 * In: nothing. Out: operating system, processor, C library, and whether apt may be used. Never here: changes.
 */
import { existsSync, readFileSync } from "node:fs";

export interface Platform {
  readonly os: NodeJS.Platform;
  readonly arch: string;
  /** The C library that this very process runs on; "other" where it is not Linux. */
  readonly libc: "glibc" | "musl" | "other";
  /** Debian or one of its children, with apt. */
  readonly debian: boolean;
  readonly root: boolean;
}

export function readPlatform(): Platform {
  return {
    os: process.platform,
    arch: process.arch,
    libc: readLibc(),
    debian: existsSync("/etc/debian_version") && existsSync("/usr/bin/apt-get"),
    root: process.getuid?.() === 0,
  };
}

/** For people: "linux x64 (glibc)". */
export function describePlatform(platform: Platform): string {
  return `${platform.os} ${platform.arch}${platform.libc === "other" ? "" : ` (${platform.libc})`}`;
}

/** May packages be installed through apt without asking anyone? */
export function mayUseApt(platform: Platform): boolean {
  return platform.debian && platform.root;
}

function readLibc(): Platform["libc"] {
  if (process.platform !== "linux") return "other";
  try {
    return readFileSync("/proc/self/maps", "utf8").includes("/ld-musl-") ? "musl" : "glibc";
  } catch {
    return existsSync("/etc/alpine-release") ? "musl" : "glibc";
  }
}
