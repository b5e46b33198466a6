/**
 * Processes that a test file started and left behind.
 *
 * In: the mark that every process of the file carries in its environment. Out: what still runs after a moment of
 * grace; it is killed then. Linux only (elsewhere nothing is found). Never here: processes without the mark.
 */
import { readdirSync, readFileSync } from "node:fs";

export interface Leftover {
  readonly pid: number;
  /** Its command line. */
  readonly command: string;
}

/** The variable that carries the mark. Children inherit it, and so do detached ones. */
export const MARK_VARIABLE = "CAUCE_TEST_MARK";
/** Servers that end with their file need a moment to do so. */
const GRACE_MS = 3_000;
const LOOK_AGAIN_MS = 50;

/** Waits for what carries the mark to end, then kills what did not, and returns it. */
export async function endLeftovers(mark: string): Promise<readonly Leftover[]> {
  const deadlineMs = performance.now() + GRACE_MS;
  let running = findMarked(mark);
  while (running.length > 0 && performance.now() < deadlineMs) {
    await Bun.sleep(LOOK_AGAIN_MS);
    running = findMarked(mark);
  }
  for (const { pid } of running) kill(pid);
  return running;
}

function findMarked(mark: string): Leftover[] {
  const marked = `${MARK_VARIABLE}=${mark}`;
  return pids().flatMap((pid) => {
    const environment = readProcess(pid, "environ").split("\0");
    if (!environment.includes(marked)) return [];
    return [{ pid, command: readProcess(pid, "cmdline").replaceAll("\0", " ").trim() }];
  });
}

function pids(): number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

/** Empty for a process that has ended meanwhile, is a zombie, or belongs to someone else. */
function readProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
