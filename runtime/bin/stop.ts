/**
 * `bun run stop`: ends what embedded services leave behind in this project.
 */
import { runtimeSettings } from "../config/runtime-settings.ts";
import { stateFolderOf } from "../embedded/state.ts";
import { stopEmbedded } from "../embedded/stop.ts";
import type { CommandOptions } from "./run-handlers.ts";

export async function stop({ projectDir, environment, console }: CommandOptions): Promise<number> {
  const stateDir = stateFolderOf(projectDir, environment[runtimeSettings.stateDir.env]);
  const ended = await stopEmbedded({ stateDir, report: console.report });
  if (ended.length === 0) console.report("nothing was running");
  return 0;
}
