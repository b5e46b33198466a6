/**
 * Resident memory of a process and of all that descend from it, as Linux tells it.
 *
 * In: a process id. Out: MB; 0 for a process that has ended. Shared pages count once for each process.
 */
import { readFileSync } from "node:fs";

export function memoryMbOf(pid: number): number {
  const ownMb = Number(/VmRSS:\s+(\d+) kB/.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
  const children = childrenOf(pid).map(memoryMbOf);
  return Math.round(children.reduce((sum, childMb) => sum + childMb, ownMb));
}

/** Each thread has children of its own. */
function childrenOf(pid: number): readonly number[] {
  return [...new Bun.Glob(`${pid}/task/*/children`).scanSync({ cwd: "/proc" })]
    .flatMap((path) => readText(`/proc/${path}`).split(" "))
    .filter((child) => child !== "")
    .map(Number);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
