/**
 * `bun paid-at.ts MOMENT`: the pipeline as `cauce handlers` runs it, which kills itself (`kill -9`) at one moment of the next
 * model call; or lives and sends every message to the handlers twice (`twice`).
 *
 * In: the moment, settings. Out: nothing; it dies. The moments are at the seams that the application has anyway (where calls
 * are written down, the model) and at the runtime's failpoints.
 */
import { FAILPOINTS, dieAt, type Failpoint } from "cauce/testing";
import type { Application } from "../../runtime/application/application.ts";
import { openCommandConsole } from "../../runtime/bin/command-console.ts";
import { startProject } from "../../runtime/main/start-project.ts";
import type { Deps } from "../../handlers/shared/deps.ts";
import { eventually } from "./stage.ts";

/** Between every two steps of a call, in their order. `asked` is up to the model that is asked: it never comes to an answer. */
export const MOMENTS = [
  "consume.taken",
  "process.decoded",
  "call.beginning",
  "call.begun",
  "call.answered",
  "call.written",
  "process.handled",
  "settle.published",
  "commit.before",
  "commit.after",
] as const;
export type Moment = (typeof MOMENTS)[number];

/** The one window: the provider may have been paid, and no row says so. */
export const WINDOW: readonly string[] = ["call.answered"];

function die(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("unreachable: the signal ends the process");
}

function dyingDeps(deps: Deps, moment: Moment): Deps {
  const { calls, model, judge } = deps;
  const dieAfter = async <T>(work: Promise<T>, at: Moment): Promise<T> => {
    const result = await work;
    if (moment === at) die();
    return result;
  };
  return {
    ...deps,
    calls: {
      ...calls,
      begin(call) {
        if (moment === "call.beginning") die();
        return dieAfter(calls.begin(call), "call.begun");
      },
      finish: (...work) => dieAfter(calls.finish(...work), "call.written"),
    },
    model: { ...model, answer: (...asked) => dieAfter(model.answer(...asked), "call.answered") },
    judge: { ...judge, score: (...asked) => dieAfter(judge.score(...asked), "call.answered") },
  };
}

function adapted(application: Application, moment: Moment | "twice"): Application {
  return {
    ...application,
    async start(world) {
      const { client } = world;
      if (moment === "twice") {
        const twice: typeof client = {
          async send(...message) {
            await client.send(...message);
            return await client.send(...message);
          },
        };
        return await application.start({ ...world, client: twice });
      }
      const started = await application.start(world);
      return { ...started, deps: dyingDeps(started.deps as Deps, moment) };
    },
  };
}

// The entry of a program: it works when it is run, never when it is imported.
if (import.meta.main) {
  const moment = [...MOMENTS, "twice" as const].find((each) => each === process.argv[2]);
  if (moment === undefined) throw new Error(`name one of ${MOMENTS.join(", ")}, twice`);
  const point = FAILPOINTS.find((each): each is Failpoint => each === moment);
  if (point !== undefined) dieAt({ point, visit: 1 });
  const { log } = openCommandConsole(process.env);
  const running = await startProject({
    projectDir: process.cwd(),
    environment: process.env,
    log,
    report: (step) => log.info("setup", { step }),
    signal: new AbortController().signal,
    adapt: (application) => adapted(application, moment),
  });
  await eventually("everything is ready", () => running.readiness().ready);
  log.info("up", { parts: running.parts });
}
