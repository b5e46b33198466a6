/**
 * Handlers of a benchmark on the whole runtime, in this process: what `cauce handlers` starts, without a folder of files.
 *
 * In: handlers; the environment that `runtimeEnvironment` makes. Out: the line `ready`. Ends in order on SIGTERM, and at once
 * when whoever started us is gone. Never here: what is measured.
 */
import { application } from "cauce/run";
import type { Handler } from "../../runtime/handler/handler.ts";
import { openCommandConsole } from "../../runtime/bin/command-console.ts";
import { start } from "../../runtime/main.ts";

/** `readiness()` is a question, it tells of no change: start-up is measured to within this. */
const LOOK_EVERY_MS = 5;

/** @returns a function that stops in order: drains, commits, leaves. */
export async function serve(handlers: readonly Handler[]): Promise<() => Promise<void>> {
  process.stdin.on("end", () => process.exit(1)).resume();
  const { log } = openCommandConsole(process.env);
  const stop = new AbortController();
  const running = await start({
    project: {
      dir: process.cwd(),
      handlers,
      application: application({
        name: "bench",
        settings: {},
        start: () => Promise.resolve({ deps: {}, close: () => Promise.resolve() }),
      }),
    },
    environment: process.env,
    log,
    report: () => undefined,
    signal: stop.signal,
  });
  const end = async () => {
    stop.abort();
    await running.stop();
  };
  process.once("SIGTERM", () => void end().then(() => process.exit(0)));
  while (!running.readiness().ready) await Bun.sleep(LOOK_EVERY_MS);
  process.stdout.write("ready\n");
  return end;
}
