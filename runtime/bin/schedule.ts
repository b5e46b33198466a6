/**
 * `cauce schedule`: what waits, what died, without SQL; `--watch` follows it.
 *
 * In: words of the command line. Out: tables. Never here: a change (`cauce redrive`, `cauce sql`).
 */
import { parseArgs } from "node:util";
import { messageOf } from "../ground/errors.ts";
import { loadProject } from "../main/project.ts";
import { commandLine } from "../provision/command-line.ts";
import { runSchedule } from "../store/schedule-command.ts";
import { databaseAddress } from "./database-address.ts";
import { untilSignal } from "./until-signal.ts";
import type { CommandOptions } from "./run-handlers.ts";

const HELP = `${commandLine("schedule")} [choice] [--limit N] [--watch]

Without a choice: what waits per topic and reason, what is due first, dead letters per handler and cause.
  --topic T --handler H --key K --reason R   the messages that wait, those that are due next first
  --parked                                   only what was written by hand and does not fit its topic
  --dead                                     dead letters instead; --reason is their cause
  --limit N                                  rows of a list, 1 to 1000; 20
  --watch                                    shows it anew every second until Ctrl-C
To change something: ${commandLine("redrive")}, or UPDATE and DELETE on the view in ${commandLine("sql")}.`;

const WATCH_EVERY_MS = 1_000;
/** The cursor to the top, and everything below it away. */
const CLEAR = "\u001B[H\u001B[J";

export async function schedule(options: CommandOptions): Promise<number> {
  const { console, projectDir } = options;
  const words = wordsOf(options.arguments);
  if (typeof words === "string") {
    console.fail(`${words}\n${HELP}`);
    return 2;
  }
  const { help, watch, limit, ...choice } = words;
  if (help) {
    console.write(`${HELP}\n`);
    return 0;
  }
  const { application } = await loadProject(projectDir);
  const { url, schema, close } = await databaseAddress(options);
  try {
    return await runSchedule({
      url,
      schema,
      app: application.name,
      choice,
      most: Number(limit),
      ...(watch && {
        watch: {
          everyMs: WATCH_EVERY_MS,
          signal: untilSignal(),
          clear: () => (console.terminal ? console.write(CLEAR) : undefined),
        },
      }),
      write: (line) => console.write(`${line}\n`),
    });
  } finally {
    await close();
  }
}

function wordsOf(given: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...given],
      options: {
        topic: { type: "string" },
        handler: { type: "string" },
        key: { type: "string" },
        reason: { type: "string" },
        parked: { type: "boolean", default: false },
        dead: { type: "boolean", default: false },
        limit: { type: "string", default: "20" },
        watch: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (!/^\d{1,4}$/.test(values.limit) || Number(values.limit) < 1 || Number(values.limit) > 1_000)
      return `--limit must be a whole number from 1 to 1000, not ${values.limit}`;
    if (values.parked && values.dead) return "--parked and --dead are two lists: choose one";
    return values;
  } catch (error) {
    return messageOf(error);
  }
}
