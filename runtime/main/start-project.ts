/**
 * A project started from a program of one's own: a demonstration, a test, a larger process.
 *
 * In: a project's folder, an environment, where to log. Out: the running project, to be stopped by the caller.
 * Loaded when it is called: who imports `cauce/run` for its declarations alone pays for nothing else.
 * Never here: signals, exit codes (bin/run-handlers.ts).
 */
import type { Application } from "../application/application.ts";
import type { Running, StartOptions } from "../main.ts";
import type { Report } from "../provision/step.ts";

export interface StartProjectOptions extends Omit<StartOptions, "project"> {
  /** The folder of the project's `package.json`. */
  readonly projectDir: string;
  /** Changes the application before it starts, for example to watch its steps. Default: as it is. */
  readonly adapt?: (application: Application) => Application;
}

/** @throws CauceError as `bun run handlers` would say it; what was opened is closed again. */
export async function startProject(options: StartProjectOptions): Promise<Running> {
  const { projectDir, adapt = (application) => application, ...rest } = options;
  const [{ start }, { loadProject }] = await Promise.all([import("../main.ts"), import("./project.ts")]);
  const project = await loadProject(projectDir);
  return start({ ...rest, project: { ...project, application: adapt(project.application) } });
}

/** Ends what embedded services leave behind in a state folder, as `bun run stop` does. @returns what was ended. */
export async function stopEmbedded(options: {
  readonly stateDir: string;
  readonly report: Report;
}): Promise<readonly string[]> {
  return (await import("../embedded/stop.ts")).stopEmbedded(options);
}
