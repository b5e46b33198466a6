/**
 * Is the process with this number still the one that we mean?
 *
 * In: a pid from a file that may be old, and arguments that only the right process has. Out: yes or no.
 * A pid alone proves nothing: it may belong to a zombie, or to a stranger who got the same number later.
 * Never here: signals sent to a process whose identity was not looked at first.
 */
import { readFileSync } from "node:fs";
import { pause, systemClock } from "../ground/clock.ts";

/** How often a process that was told to end is looked at. */
const LOOK_MS = 5;

/** True when `pid` runs (no zombie) and its command line contains these arguments, next to each other. */
export function isProcess(pid: number, argumentsOfIt: readonly string[]): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 1) return false;
  const found = process.platform === "linux" ? commandLineOnLinux(pid) : commandLineByPs(pid);
  if (found === null) return false;
  if (typeof found === "string") return found.includes(argumentsOfIt.join(" "));
  return found.some((_, start) => argumentsOfIt.every((wanted, index) => found[start + index] === wanted));
}

/**
 * Sends a signal to a process after a look at its identity, and waits until it is gone.
 * Resolves to true when it is gone (or was never there), false when it still runs after `waitMs`.
 */
export async function endProcess(
  pid: number,
  options: {
    readonly arguments: readonly string[];
    readonly signal: NodeJS.Signals;
    readonly waitMs: number;
  },
): Promise<boolean> {
  if (!isProcess(pid, options.arguments)) return true;
  try {
    process.kill(pid, options.signal);
  } catch {
    // It ended between the look and the signal, or it is another user's: the look below tells which.
  }
  const deadlineMs = systemClock.monotonicMs() + options.waitMs;
  while (isProcess(pid, options.arguments)) {
    if (systemClock.monotonicMs() > deadlineMs) return false;
    await pause(systemClock, LOOK_MS);
  }
  return true;
}

/** A zombie has an empty command line, so that it matches nothing. */
function commandLineOnLinux(pid: number): readonly string[] | null {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return null;
  }
}

function commandLineByPs(pid: number): string | null {
  const { stdout, exitCode } = Bun.spawnSync(["/bin/ps", "-ww", "-o", "state=,command=", "-p", String(pid)]);
  const line = stdout.toString().trim();
  return exitCode !== 0 || line.startsWith("Z") ? null : line;
}
