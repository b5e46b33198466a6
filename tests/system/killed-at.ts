/**
 * `bun killed-at.ts MOMENT`: the pipeline as `cauce handlers` runs it, which kills itself (`kill -9`) at one moment of the
 * next question's way through the door.
 *
 * In: the moment, settings. Out: nothing; it dies. The moments are at the seams that an application has anyway (the client
 * that it publishes through, its routes), so that production code knows nothing of them.
 */
import type { Application, Client } from "../../runtime/application/application.ts";
import { openCommandConsole } from "../../runtime/bin/command-console.ts";
import { startProject } from "../../runtime/main/start-project.ts";
import { eventually } from "./stage.ts";

export const MOMENTS = ["claimed", "published", "acknowledged", "answered"] as const;
export type Moment = (typeof MOMENTS)[number];

function die(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("unreachable: the signal ends the process");
}

/** claimed: the claim is written, nothing sent. published: sent, not acknowledged yet. acknowledged: nobody knows of it. */
function dyingClient(client: Client, moment: Moment): Client {
  return {
    async send(topic, value, options) {
      if (moment === "claimed") die();
      const sending = client.send(topic, value, options);
      if (moment === "published") setImmediate(die);
      const id = await sending;
      if (moment === "acknowledged") die();
      return id;
    },
  };
}

/** Everything is written, the answer is made and never sent. */
function dyingApplication(application: Application, moment: Moment): Application {
  return {
    ...application,
    async start(world) {
      const started = await application.start({ ...world, client: dyingClient(world.client, moment) });
      const { routes } = started;
      if (moment !== "answered" || routes === undefined) return started;
      return {
        ...started,
        routes: (door) =>
          routes(
            door.onAfterHandle(({ response }) => {
              if (response instanceof Response && response.status === 202) die();
            }),
          ),
      };
    },
  };
}

// The entry of a program: it works when it is run, never when it is imported.
if (import.meta.main) {
  const moment = MOMENTS.find((each) => each === process.argv[2]);
  if (moment === undefined) throw new Error(`name one of ${MOMENTS.join(", ")}`);
  const { log } = openCommandConsole(process.env);
  const running = await startProject({
    projectDir: process.cwd(),
    environment: process.env,
    log,
    report: (step) => log.info("setup", { step }),
    signal: new AbortController().signal,
    adapt: (application) => dyingApplication(application, moment),
  });
  await eventually("everything is ready", () => running.readiness().ready);
  log.info("up", { parts: running.parts });
}
