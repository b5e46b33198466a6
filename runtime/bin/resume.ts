/**
 * `cauce resume HANDLER`: a handler that is paused because it failed at most messages goes on, in every process that runs it.
 *
 * In: a handler's name. Out: the word, sent by way of Postgres. Should it still fail at most messages, it is paused again.
 */
import { runtimeSettings } from "../config/runtime-settings.ts";
import { readSettings } from "../config/settings.ts";
import { systemClock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import { openDatabase } from "../main/infrastructure.ts";
import { loadProject } from "../main/project.ts";
import { commandLine } from "../provision/command-line.ts";
import { createPostgresStore } from "../store/postgres.ts";
import type { CommandOptions } from "./run-handlers.ts";

export async function resume({
  projectDir,
  environment,
  arguments: words,
  console,
}: CommandOptions): Promise<number> {
  const { application, handlers } = await loadProject(projectDir);
  const known = handlers.map(({ name }) => name);
  const [name, ...more] = words;
  if (name === undefined || more.length > 0) {
    console.fail(`resume needs one handler: ${commandLine("resume HANDLER")}, one of ${known.join(", ")}`);
    return 2;
  }
  if (!known.includes(name)) {
    throw new CauceError("declaration_invalid", `there is no handler ${name} here: ${known.join(", ")}`);
  }
  const settings = readSettings(runtimeSettings, environment);
  const closers: (() => Promise<void>)[] = [];
  try {
    const signal = new AbortController().signal;
    const { url } = await openDatabase({ projectDir, settings, report: () => {}, signal }, closers);
    const { databaseSchema: schema } = settings;
    const store = await createPostgresStore({
      url,
      app: application.name,
      schema,
      clock: systemClock,
      signal,
    });
    closers.push(() => store.close());
    await store.resume(name);
    console.report(`every process that runs ${name} was told to go on`);
    return 0;
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}
