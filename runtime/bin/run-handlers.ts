/**
 * `bun run handlers`: the project's handlers, its door and the scheduler, until a signal says stop.
 *
 * In: a project's folder, the environment, the terminal. Out: the exit code. An embedded broker that dies is replaced
 * and everything is started anew on it. Never here: what is started (main.ts).
 */
import { runtimeSettings } from "../config/runtime-settings.ts";
import { readSettings } from "../config/settings.ts";
import { stateFolderOf } from "../embedded/state.ts";
import { pause, systemClock } from "../ground/clock.ts";
import { messageOf } from "../ground/errors.ts";
import { start, type Running } from "../main.ts";
import { loadProject, type Project } from "../main/project.ts";
import { tellStart } from "../main/report.ts";
import { openWatchdog, watchFolder, type Watchdog } from "../watchdog/watchdog.ts";
import type { Console } from "./console.ts";
import { SECOND_WISH_MS, tieToSupervisor } from "./worker.ts";

export interface CommandOptions {
  readonly projectDir: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly arguments: readonly string[];
  readonly console: Console;
}

/** A start is told when everything is there, or after this long with what is still missing. */
const TELL_AFTER_MS = 10_000;
const LOOK_EVERY_MS = 25;

export async function runHandlers(options: CommandOptions): Promise<number> {
  const { console, environment } = options;
  const stop = onSignal(console);
  const tie = tieToSupervisor(environment);
  let watchdog: Watchdog | null = null;
  try {
    const project = await loadProject(options.projectDir);
    watchdog = watch(options, project, tie.supervised);
    if (watchdog !== null) tie.tell(watchdog.journal);
    let over: "signal" | "died" | "stopped" = "died";
    while (over === "died") {
      const startMs = systemClock.monotonicMs();
      const running = await start({
        project,
        environment,
        log: console.log,
        report: console.report,
        signal: stop,
        ...(watchdog && { watch: watchdog }),
      });
      const ended = untilOver(running, stop);
      await Promise.race([untilReady(running, stop), ended]);
      const elapsedMs = systemClock.monotonicMs() - startMs;
      tellStart(
        { app: project.application.name, elapsedMs, ...running, readiness: running.readiness() },
        console,
      );
      over = await ended;
      if (over !== "signal") console.log.warn(GONE[over]);
      await (over === "signal" ? running.stop() : running.stop(0));
    }
    console.log.info("stopped");
    return 0;
  } catch (error) {
    if (stop.aborted) return 0;
    console.fail(messageOf(error));
    return 1;
  } finally {
    watchdog?.close();
    tie.loosen();
  }
}

function watch(options: CommandOptions, project: Project, supervised: boolean): Watchdog | null {
  const { application, handlers, dir } = project;
  // The application's settings too, so that all bad ones are said at once.
  readSettings({ ...runtimeSettings, ...application.settings }, options.environment);
  const { watchdogMs, watchdogDeaths, stateDir } = readSettings(runtimeSettings, options.environment);
  return openWatchdog({
    folder: watchFolder(stateFolderOf(dir, stateDir)),
    stallMs: watchdogMs,
    deaths: watchdogDeaths,
    slots: handlers.reduce((sum, { concurrency, batch }) => sum + concurrency * (batch?.max ?? 1), 0),
    supervised,
    clock: systemClock,
    log: options.console.log,
  });
}

const GONE = {
  died: "the embedded broker is gone; starting another one. Open questions are asked again, waiting rows stay",
  stopped: "the embedded services were stopped; this process ends too",
} as const;

async function untilReady(running: Running, stop: AbortSignal): Promise<void> {
  const sinceMs = systemClock.monotonicMs();
  while (!running.readiness().ready && !stop.aborted && systemClock.monotonicMs() - sinceMs < TELL_AFTER_MS) {
    await pause(systemClock, LOOK_EVERY_MS, stop);
  }
}

function untilOver(running: Running, stop: AbortSignal): Promise<"died" | "stopped" | "signal"> {
  const signalled = new Promise<"signal">((resolve) => {
    if (stop.aborted) resolve("signal");
    stop.addEventListener("abort", () => resolve("signal"), { once: true });
  });
  return Promise.race([running.brokerGone, signalled]);
}

/** The first SIGINT or SIGTERM asks for a clean stop; the second one ends the process at once. */
function onSignal({ log }: Console): AbortSignal {
  const stop = new AbortController();
  let firstMs = 0;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (!stop.signal.aborted) {
        firstMs = systemClock.monotonicMs();
        log.info("stopping: finishing what runs", { signal: name });
        stop.abort();
      } else if (systemClock.monotonicMs() - firstMs > SECOND_WISH_MS) process.exit(130);
    });
  }
  return stop.signal;
}
