/**
 * `bun run handlers`: the project's handlers, its door and the scheduler, until a signal says stop.
 *
 * In: a project's folder, the environment, the terminal. Out: the exit code. An embedded broker that dies is replaced
 * and everything is started anew on it. Never here: what is started (main.ts).
 */
import { systemClock } from "../ground/clock.ts";
import { messageOf } from "../ground/errors.ts";
import { start, type Running } from "../main.ts";
import { loadProject } from "../main/project.ts";
import { tellStart } from "../main/report.ts";
import type { Console } from "./console.ts";

export interface CommandOptions {
  readonly projectDir: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly arguments: readonly string[];
  readonly console: Console;
}

export async function runHandlers(options: CommandOptions): Promise<number> {
  const { console, environment } = options;
  const startedMs = systemClock.monotonicMs();
  const stop = onSignal(console);
  try {
    const project = await loadProject(options.projectDir);
    for (let again = false; !stop.aborted; again = true) {
      const attempt = { project, environment, log: console.log, report: console.report, signal: stop };
      const running = await start(attempt);
      const elapsedMs = again ? 0 : systemClock.monotonicMs() - startedMs;
      tellStart({ app: project.application.name, elapsedMs, ...running }, console);
      const why = await untilOver(running, stop);
      if (why === "broker_gone") {
        console.log.warn("the embedded broker is gone; starting another one", {
          lost: "what was in flight on topics; open questions are asked again, waiting rows stay",
        });
      }
      await (why === "broker_gone" ? running.stop(0) : running.stop());
    }
    console.log.info("stopped");
    return 0;
  } catch (error) {
    if (stop.aborted) return 0;
    console.fail(messageOf(error));
    return 1;
  }
}

function untilOver(running: Running, stop: AbortSignal): Promise<"broker_gone" | "signal"> {
  const signalled = new Promise<"signal">((resolve) => {
    if (stop.aborted) resolve("signal");
    stop.addEventListener("abort", () => resolve("signal"), { once: true });
  });
  return Promise.race([running.brokerGone.then(() => "broker_gone" as const), signalled]);
}

/**
 * One Ctrl-C arrives twice where `bun run` stands in between: the terminal signals the whole group, and bun passes its own on.
 * Only what comes later than this is a second wish.
 */
const SAME_WISH_MS = 1_000;

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
      } else if (systemClock.monotonicMs() - firstMs > SAME_WISH_MS) process.exit(130);
    });
  }
  return stop.signal;
}
