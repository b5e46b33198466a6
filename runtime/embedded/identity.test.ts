import { expect, test } from "bun:test";
import { endProcess, isProcess } from "./identity.ts";

/** A process that stays until it is told to go. */
function sleeper() {
  return Bun.spawn(["sleep", "1000"], { stdio: ["ignore", "ignore", "ignore"] });
}

test("a process is known by its arguments, not by its number alone", async () => {
  const child = sleeper();
  try {
    expect(isProcess(child.pid, ["sleep", "1000"])).toBe(true);
    expect(isProcess(child.pid, ["1000"])).toBe(true);
    expect(isProcess(child.pid, ["sleep", "100"])).toBe(false);
    expect(isProcess(child.pid, ["1000", "sleep"])).toBe(false);
  } finally {
    child.kill();
    await child.exited;
  }
  expect(isProcess(child.pid, ["sleep", "1000"])).toBe(false);
});

test("numbers that can be nobody's are nobody's", () => {
  for (const pid of [0, 1, -1, Number.NaN, 1.5, 4_194_305]) expect(isProcess(pid, ["sleep"])).toBe(false);
});

test("a zombie is dead", async () => {
  // The shell becomes a program that never asks how its child ended.
  const parent = Bun.spawn(["sh", "-c", "sleep 1000 & echo $!; exec sleep 1001"], { stdout: "pipe" });
  try {
    const reader = parent.stdout.getReader();
    const pid = Number.parseInt(new TextDecoder().decode((await reader.read()).value), 10);
    expect(await endProcess(pid, { arguments: ["sleep", "1000"], signal: "SIGKILL", waitMs: 10_000 })).toBe(
      true,
    );
    // Its number is still taken: a signal finds it.
    expect(process.kill(pid, 0)).toBe(true);
    expect(isProcess(pid, ["sleep", "1000"])).toBe(false);
  } finally {
    parent.kill("SIGKILL");
    await parent.exited;
  }
});

test("a stranger with the number is left alone, and the end of a process is waited for", async () => {
  const child = sleeper();
  const wrong = { arguments: ["sleep", "2000"], signal: "SIGKILL", waitMs: 10_000 } as const;
  expect(await endProcess(child.pid, wrong)).toBe(true);
  expect(child.exitCode ?? child.signalCode).toBeNull();
  expect(await endProcess(child.pid, { ...wrong, arguments: ["sleep", "1000"] })).toBe(true);
  expect(isProcess(child.pid, ["sleep", "1000"])).toBe(false);
  await child.exited;
});

test("a process that does not obey is told apart from one that is gone", async () => {
  // A signal that is ignored stays ignored by the program that the shell becomes.
  const child = Bun.spawn(["sh", "-c", "trap '' TERM; echo on; exec sleep 1000"], { stdout: "pipe" });
  await child.stdout.getReader().read();
  const stubborn = { arguments: ["1000"], signal: "SIGTERM", waitMs: 20 } as const;
  try {
    expect(await endProcess(child.pid, stubborn)).toBe(false);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
});
