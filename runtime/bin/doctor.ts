/**
 * `bun run doctor`: what would be used here, and every setting with its value and source. Starts and fetches nothing.
 */
import { runtimeSettings } from "../config/runtime-settings.ts";
import { describeSettings, readSettings } from "../config/settings.ts";
import { stateFolderOf } from "../embedded/state.ts";
import { messageOf } from "../ground/errors.ts";
import { locateLibrary } from "../kafka/library/locate.ts";
import { loadProject } from "../main/project.ts";
import { cacheFolder } from "../provision/cache-folder.ts";
import { commandLine } from "../provision/command-line.ts";
import { describePlatform, readPlatform } from "../provision/platform.ts";
import type { CommandOptions } from "./run-handlers.ts";

export async function doctor(options: CommandOptions): Promise<number> {
  const { environment, console, projectDir } = options;
  let code = 0;
  const say = (title: string, lines: readonly string[]) =>
    console.write(`${title}\n${lines.map((line) => `  ${line}\n`).join("")}\n`);

  say("platform", [`${describePlatform(readPlatform())}, Bun ${Bun.version}`]);
  try {
    // As in production: looking, not fetching.
    const found = await locateLibrary({
      env: environment,
      cacheDir: cacheFolder(environment),
      production: true,
      report: console.report,
    });
    say("librdkafka", [
      `${found.version} from ${found.source}: ${found.path}`,
      ...found.tried.map(({ title, reason }) => `not taken: ${title}: ${reason}`),
    ]);
  } catch (error) {
    say("librdkafka", [
      ...messageOf(error).split("\n"),
      `\`${commandLine("handlers")}\` would fetch one, unless NODE_ENV is production`,
    ]);
    if (environment["NODE_ENV"] === "production") code = 1;
  }
  say("embedded services", [
    `state folder: ${stateFolderOf(projectDir, environment[runtimeSettings.stateDir.env])}`,
  ]);
  try {
    const { handlers, application } = await loadProject(projectDir);
    say(
      `application ${application.name}`,
      handlers.map(
        (handler) =>
          `${handler.name}: ${handler.on.name} → ${
            Object.values(handler.out)
              .map((topic) => topic.name)
              .join(", ") || "nothing"
          }`,
      ),
    );
    const declarations = { ...runtimeSettings, ...application.settings };
    const lines = describeSettings(declarations, readSettings(declarations, environment), environment);
    const width = Math.max(...lines.map((line) => line.env.length));
    say(
      "settings",
      lines.map(({ env, value, source, about }) => `${env.padEnd(width)}  ${value}  (${source})  ${about}`),
    );
  } catch (error) {
    say("project", messageOf(error).split("\n"));
    code = 1;
  }
  return code;
}
