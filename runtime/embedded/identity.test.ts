import { expect, test } from "bun:test";
import { endProcess, isProcess } from "./identity.ts";

/** A process that stays until it is told to go. A process that was just made takes a moment to show its arguments. */
async function sleeper() {
  const child = Bun.spawn(["sleep", "32"], { stdio: ["ignore", "ignore", "ignore"] });
  while (!isProcess(child.pid, ["sleep", "32"])) await Bun.sleep(1);
  return child;
}

test("a process is known by its arguments, not by its number alone", async () => {
  const child = await sleeper();
  try {
    expect(isProcess(child.pid, ["sleep", "32"])).toBe(true);
    expect(isProcess(child.pid, ["32"])).toBe(true);
    expect(isProcess(child.pid, ["sleep", "3"])).toBe(false);
    expect(isProcess(child.pid, ["32", "sleep"])).toBe(false);
  } finally {
    child.kill();
    await child.exited;
  }
  expect(isProcess(child.pid, ["sleep", "32"])).toBe(false);
});

test("numbers that can be nobody's are nobody's", () => {
  for (const pid of [0, 1, -1, Number.NaN, 1.5, 4_194_305]) expect(isProcess(pid, ["sleep"])).toBe(false);
});

test("a zombie is dead", async () => {
  // The shell becomes a program that never asks how its child ended.
  const parent = Bun.spawn(["sh", "-c", "sleep 30 >&2 & echo $!; exec sleep 31"], {
    stdout: "pipe",
    stderr: "ignore",
  });
  try {
    const reader = parent.stdout.getReader();
    const pid = Number.parseInt(new TextDecoder().decode((await reader.read()).value), 10);
    // The shell says the number before its child has become what it is to be.
    while (!isProcess(pid, ["sleep", "30"])) await Bun.sleep(1);
    expect(await endProcess(pid, { arguments: ["sleep", "30"], signal: "SIGKILL", waitMs: 10_000 })).toBe(
      true,
    );
    // Its number is still taken: a signal finds it.
    expect(process.kill(pid, 0)).toBe(true);
    expect(isProcess(pid, ["sleep", "30"])).toBe(false);
  } finally {
    parent.kill("SIGKILL");
    await parent.exited;
  }
});

test("a stranger with the number is left alone, and the end of a process is waited for", async () => {
  const child = await sleeper();
  const wrong = { arguments: ["sleep", "2000"], signal: "SIGKILL", waitMs: 10_000 } as const;
  try {
    expect(await endProcess(child.pid, wrong)).toBe(true);
    expect(child.exitCode ?? child.signalCode).toBeNull();
    expect(await endProcess(child.pid, { ...wrong, arguments: ["sleep", "32"] })).toBe(true);
    expect(isProcess(child.pid, ["sleep", "32"])).toBe(false);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
});

test("a process that does not obey is told apart from one that is gone", async () => {
  // A signal that is ignored stays ignored by the program that the shell becomes.
  const child = Bun.spawn(["sh", "-c", "trap '' TERM; exec sleep 32"], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  while (!isProcess(child.pid, ["32"])) await Bun.sleep(1);
  const stubborn = { arguments: ["32"], signal: "SIGTERM", waitMs: 20 } as const;
  try {
    expect(await endProcess(child.pid, stubborn)).toBe(false);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
});
