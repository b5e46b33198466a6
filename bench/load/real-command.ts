/**
 * `bun run load:real -- FOLDER … `: one run of the load generator on real services that it starts itself.
 *
 * In: a folder with the data sets, and the options of `bun run loadgen` but for files and --url; those of the workers by
 * --set NAME=VALUE. Out: what the load generator says and writes. What it started ends with it. Never here: loading
 * (handlers/shared/loadgen).
 */
import { join } from "node:path";
import { loadgenCommand } from "../../handlers/shared/loadgen/command.ts";
import type { CommandOptions } from "cauce/run";
import { FILES } from "../demo-real/questions.ts";
import { startStack } from "../demo-real/stack.ts";
import { describeMachine } from "../harness/results.ts";
import { onInterrupt, untilReady } from "./ready.ts";

const USAGE = `usage: bun run load:real -- FOLDER [--set NAME=VALUE]… [options of bun run loadgen]

FOLDER holds ${FILES.join(", ")}. The workers have no faults unless --set OFFLINE_FAULTS=…
`;

export default async function loadReal(options: CommandOptions): Promise<number> {
  const { write, fail } = options.console;
  const [folder, ...rest] = options.arguments.filter((argument) => argument !== "--");
  const settings = settingsIn(rest);
  if (folder === undefined || folder.startsWith("--") || settings === null) {
    fail(USAGE);
    return 2;
  }
  const interrupt = onInterrupt();
  const stack = await startStack({
    projectDir: options.projectDir,
    answers: join(folder, "evouna-nq.json"),
    say: (line) => write(`${line}\n`),
    environment: { OFFLINE_FAULTS: "", MODEL_TIMEOUT_MS: "60000", ...settings.environment },
  });
  try {
    await untilReady(stack.url, interrupt);
    const files = FILES.map((file) => join(folder, file));
    const output = { write, writeError: fail };
    const note = `Apache Kafka, PostgreSQL, Redis and three workers on one machine (${describeMachine()}); ${settings.words}`;
    const args = [...files, "--url", stack.url, "--note", note, ...settings.rest];
    return await loadgenCommand(args, output, interrupt);
  } finally {
    await stack.stop();
  }
}

/** Null where --set is not followed by NAME=VALUE. */
function settingsIn(given: readonly string[]) {
  const environment: Record<string, string> = {};
  const rest: string[] = [];
  for (let index = 0; index < given.length; index++) {
    const argument = given[index] ?? "";
    if (argument !== "--set") {
      rest.push(argument);
      continue;
    }
    const match = /^([A-Z][A-Z0-9_]*)=(.*)$/s.exec(given[++index] ?? "");
    if (match === null) return null;
    environment[match[1] ?? ""] = match[2] ?? "";
  }
  const words = Object.entries(environment).map(
    ([name, value]) => `${name}=${value.split("/").at(-1) ?? ""}`,
  );
  return { environment, rest, words: words.length === 0 ? "no settings changed" : words.join(" ") };
}
