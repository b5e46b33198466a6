#!/usr/bin/env bun
/**
 * The command line: `cauce handlers`, `send`, `stop`, `doctor`, `resume`, `schedule`, `redrive`, `sql`, `migrate`, `manifest`, and `exec FILE`
 * for a project's own commands.
 *
 * First makes sure that the packages are installed, so nothing but Bun's own modules may be imported here at the top.
 */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ensureDependencies } from "./install.ts";
import type { CommandOptions } from "./run-handlers.ts";

type Command = (options: CommandOptions) => Promise<number>;

const COMMANDS: Readonly<Record<string, { readonly about: string; readonly load: () => Promise<Command> }>> =
  {
    handlers: {
      about: "run the handlers, the door and the scheduler",
      load: async () => (await import("./supervise.ts")).supervise,
    },
    stop: {
      about: "end the embedded broker and Postgres that stay behind",
      load: async () => (await import("./stop.ts")).stop,
    },
    doctor: {
      about: "what would be used, every setting and its source",
      load: async () => (await import("./doctor.ts")).doctor,
    },
    send: {
      about: "one message: send TOPIC JSON",
      load: async () => (await import("./send.ts")).send,
    },
    resume: {
      about: "a handler that is paused because it fails goes on: resume HANDLER",
      load: async () => (await import("./resume.ts")).resume,
    },
    schedule: {
      about: "what waits and what died: schedule [--topic T …] [--dead] [--watch]",
      load: async () => (await import("./schedule.ts")).schedule,
    },
    redrive: {
      about: "dead letters back to their handlers: redrive --handler H [--canary N | --rate N]",
      load: async () => (await import("./redrive.ts")).redrive,
    },
    sql: { about: "one SQL statement, or a prompt", load: async () => (await import("./sql.ts")).sql },
    migrate: {
      about: "bring all tables to this version, and nothing else",
      load: async () => (await import("./migrate.ts")).migrateAll,
    },
    manifest: {
      about: "write the list of handlers that an image runs",
      load: async () => (await import("./manifest.ts")).manifest,
    },
    exec: {
      about: "a command of the project: a file with a default export",
      load: async () => (await import("./exec.ts")).exec,
    },
  };

/** A word after these is a mistake, and starting all the same would hide it. Settings are environment variables. */
const TAKE_NOTHING = new Set(["handlers", "stop", "doctor", "migrate", "manifest"]);

process.exitCode = await main(process.argv.slice(2));

async function main([name = "", ...rest]: readonly string[]): Promise<number> {
  const command = COMMANDS[name];
  if (command === undefined) {
    const lines = Object.entries(COMMANDS).map(([known, { about }]) => `  ${known.padEnd(10)}${about}`);
    process.stderr.write(
      `${name === "" ? "" : `there is no command "${name}"\n`}cauce COMMAND\n${lines.join("\n")}\n`,
    );
    return name === "" ? 0 : 2;
  }
  if (rest.length > 0 && TAKE_NOTHING.has(name)) {
    process.stderr.write(
      `cauce ${name} takes no arguments, and ${rest.join(" ")} was given: ${command.about}\n`,
    );
    return 2;
  }
  const projectDir = projectAt(process.cwd());
  try {
    // A package that was installed has its own packages beside it; only a checkout installs them itself.
    const checkout = dirname(dirname(import.meta.dir));
    if (!import.meta.dir.includes("node_modules") && existsSync(join(checkout, "bun.lock"))) {
      await ensureDependencies({ root: checkout, env: process.env, report: tell });
    }
    const { withSecretFiles } = await import("../config/secret-files.ts");
    const environment = withSecretFiles(process.env);
    const { openCommandConsole } = await import("./command-console.ts");
    const run = await command.load();
    return await run({
      projectDir,
      environment,
      arguments: rest,
      console: openCommandConsole(environment),
    });
  } catch (error) {
    process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

/** The nearest folder with a package.json, from here upwards. */
function projectAt(from: string): string {
  for (let dir = resolve(from); ; dir = dirname(dir)) {
    if (existsSync(join(dir, "package.json"))) return dir;
    if (dir === dirname(dir)) return resolve(from);
  }
}

function tell(line: string): void {
  process.stderr.write(
    process.stderr.isTTY ? `  ${line}\n` : `${JSON.stringify({ event: "setup", step: line })}\n`,
  );
}
