/**
 * `cauce redrive`: dead letters back to their handlers; what would be sent, then a few, then all at a rate.
 *
 * In: words of the command line. Out: what was sent. Ctrl-C leaves what was not sent as it was.
 */
import { parseArgs } from "node:util";
import { messageOf } from "../ground/errors.ts";
import { loadProject } from "../main/project.ts";
import { commandLine } from "../provision/command-line.ts";
import { runRedrive, type LetterChoice, type RedriveStep } from "../store/redrive-command.ts";
import { databaseAddress } from "./database-address.ts";
import type { CommandOptions } from "./run-handlers.ts";
import { untilSignal } from "./until-signal.ts";

const HELP = `${commandLine("redrive")} --handler H | --cause C | --key K [--canary N | --rate N]

Says which dead letters would be sent to their handlers again; nothing is sent without one of these:
  --canary N   sends N of them now, 1 to 1000
  --rate N     sends all of them, N a second, 0.01 to 10000; Ctrl-C stops, and the rest stays as it is
What there is: ${commandLine("schedule --dead")}`;

export async function redrive(options: CommandOptions): Promise<number> {
  const { console, projectDir } = options;
  const words = wordsOf(options.arguments);
  if (typeof words === "string") {
    console.fail(`${words}\n${HELP}`);
    return 2;
  }
  if (words === null) {
    console.write(`${HELP}\n`);
    return 0;
  }
  const { application } = await loadProject(projectDir);
  const { url, schema, close } = await databaseAddress(options);
  try {
    const write = (line: string) => console.write(`${line}\n`);
    return await runRedrive({ url, schema, app: application.name, ...words, signal: untilSignal(), write });
  } finally {
    await close();
  }
}

interface Words {
  readonly choice: LetterChoice;
  readonly step: RedriveStep;
}

/** Null where only help is wanted; a text says what is wrong. */
function wordsOf(given: readonly string[]): Words | string | null {
  try {
    const { handler, cause, key, canary, rate, help } = parseArgs({
      args: [...given],
      options: {
        handler: { type: "string" },
        cause: { type: "string" },
        key: { type: "string" },
        canary: { type: "string" },
        rate: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
    if (help) return null;
    if (handler === undefined && cause === undefined && key === undefined)
      return "redrive needs to know which dead letters: a handler, a cause or a key";
    if (canary !== undefined && rate !== undefined) return "--canary and --rate are two steps: choose one";
    const choice: LetterChoice = {
      ...(handler !== undefined && { handler }),
      ...(cause !== undefined && { cause }),
      ...(key !== undefined && { key }),
    };
    const step = stepOf(canary, rate);
    return typeof step === "string" ? step : { choice, step };
  } catch (error) {
    return messageOf(error);
  }
}

function stepOf(canary: string | undefined, rate: string | undefined): RedriveStep | string {
  if (canary !== undefined) {
    const count = Number(canary);
    const fits = Number.isInteger(count) && count >= 1 && count <= 1_000;
    return fits ? { kind: "canary", count } : `--canary must be a whole number from 1 to 1000, not ${canary}`;
  }
  if (rate === undefined) return { kind: "dry run" };
  const perSecond = Number(rate);
  const fits = perSecond >= 0.01 && perSecond <= 10_000;
  return fits ? { kind: "all", perSecond } : `--rate must be a number from 0.01 to 10000, not ${rate}`;
}
