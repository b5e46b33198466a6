/**
 * `cauce handlers`: starts the worker process and starts it again when it dies in the middle of its work.
 *
 * In: the command's options. Out: the worker's exit code, once it has ended in order or a signal has asked for the end.
 * Orderly is what closed its journal; all other ends are looked into (watchdog/inquest.ts), so that a message that kills its
 * process is found. Never here: what the worker does (run-handlers.ts).
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { runtimeSettings } from "../config/runtime-settings.ts";
import { readSettings } from "../config/settings.ts";
import { findKeeper } from "../embedded/keeper.ts";
import { openLease, type Lease } from "../embedded/lease.ts";
import { pause, systemClock } from "../ground/clock.ts";
import { describeSuspects, holdInquest, type Death } from "../watchdog/inquest.ts";
import { suspectsIn } from "../watchdog/watchdog.ts";
import type { CommandOptions } from "./run-handlers.ts";
import { SECOND_WISH_MS, SUPERVISED } from "./worker.ts";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 3_000;
/** A worker that lived so long starts the count of pauses anew. */
const SOUND_MS = 60_000;

export async function supervise(options: CommandOptions): Promise<number> {
  const { environment } = options;
  const { supervise: mode } = readSettings({ supervise: runtimeSettings.supervise }, environment);
  if (mode === "off" || environment[SUPERVISED] !== undefined) {
    return (await import("./run-handlers.ts")).runHandlers(options);
  }
  const wish = new Wish();
  let hold: Lease | null = null;
  try {
    for (let deaths = 0; ;) {
      const startMs = systemClock.monotonicMs();
      const oomBefore = oomKills();
      const worker = startWorker(options);
      wish.worker = worker.child;
      await worker.child.exited;
      wish.worker = null;
      const { exitCode, signalCode } = worker.child;
      if (wish.signal.aborted) return exitCode ?? 130;
      const journal = worker.journal();
      // Orderly ends remove the journal.
      if (journal === null || !existsSync(journal)) return exitCode ?? 1;
      const held: Lease | null = await holdEmbedded(dirname(dirname(journal)));
      await hold?.close();
      hold = held;
      const death = deathOf(exitCode, signalCode, oomKills() > oomBefore);
      const finding = holdInquest(journal, death, suspectsIn(dirname(journal), systemClock));
      deaths = systemClock.monotonicMs() - startMs > SOUND_MS ? 1 : deaths + 1;
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (deaths - 1), LONGEST_PAUSE_MS);
      options.console.log.error("the worker process died; it is started again", {
        how: finding?.how ?? "nobody knows how",
        running: describeSuspects(finding?.suspects ?? []),
        pause_ms: pauseMs,
      });
      await pause(systemClock, pauseMs, wish.signal);
      if (wish.signal.aborted) return 0;
    }
  } finally {
    await hold?.close();
  }
}

/** What a worker left in an embedded broker is gone 5 s after its last user, and a slow machine takes that long to return. */
async function holdEmbedded(stateDir: string): Promise<Lease | null> {
  const keeper = findKeeper(stateDir);
  return keeper === null ? null : await openLease(keeper, "broker");
}

function startWorker({ environment, arguments: words }: CommandOptions) {
  let journal: string | null = null;
  const child = Bun.spawn(
    [process.execPath, ...process.execArgv, join(import.meta.dir, "cauce.ts"), "handlers", ...words],
    {
      env: { ...environment, [SUPERVISED]: "1" },
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
      ipc(message: unknown) {
        if (typeof message === "object" && message !== null && "journal" in message) {
          journal = typeof message.journal === "string" ? message.journal : null;
        }
      },
    },
  );
  return { child, journal: () => journal };
}

function deathOf(exitCode: number | null, signalCode: string | number | null, outOfMemory: boolean): Death {
  if (signalCode === null) {
    return { kind: "crash", words: `it ended with code ${exitCode} in the middle of its work` };
  }
  if (signalCode !== "SIGKILL" && signalCode !== "SIGTERM" && signalCode !== "SIGINT") {
    return { kind: "crash", words: `it crashed (${signalCode})` };
  }
  return { kind: outOfMemory ? "memory" : "outside" };
}

/** How many processes the kernel has ended for lack of memory; it says so for the whole machine. 0 where it does not tell. */
function oomKills(): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync("/proc/vmstat", "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** SIGINT and SIGTERM are passed on; the second one ends a worker that does not hear. */
class Wish {
  readonly #stop = new AbortController();
  #firstMs = 0;
  worker: Bun.Subprocess | null = null;

  constructor() {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.on(name, () => {
        const again = this.#stop.signal.aborted;
        if (!again) this.#firstMs = systemClock.monotonicMs();
        this.#stop.abort();
        const insists = again && systemClock.monotonicMs() - this.#firstMs > SECOND_WISH_MS;
        this.worker?.kill(insists ? "SIGKILL" : name);
      });
    }
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }
}
