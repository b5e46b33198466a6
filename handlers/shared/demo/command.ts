/**
 * `bun run demo`: starts the pipeline on the embedded defaults, beside whatever runs already, shows it, and cleans up.
 *
 * In: a command's options. Out: the exit code: 0 when all ten questions arrived. A state folder, a port and a database
 * of its own, removed at the end. Never here: what is shown (demo.ts).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "cauce";
import {
  startProject,
  stopEmbedded,
  type Application,
  type CommandOptions,
  type SettingDeclarations,
  type SettingValues,
  type World,
} from "cauce/run";
import { stepsOf } from "../flow/steps-of.ts";
import { settings } from "../settings.ts";
import { openDatabase } from "../storage/database.ts";
import type { QuestionStep } from "../storage/steps.ts";
import { runDemo } from "./demo.ts";
import { SCRIPT } from "./questions.ts";

/** A terminal that does not tell its width. */
const USUAL_COLUMNS = 120;

export default async function demo(options: CommandOptions): Promise<number> {
  const { console } = options;
  const { terminal, write } = console;
  const say = (line: string) => write(`  ${line}\n`);
  const stateDir = mkdtempSync(join(tmpdir(), "cauce-demo-"));
  const interrupt = onInterrupt();
  const watched = watch();
  write("\nCauce on its embedded defaults: ten questions, some of them told to go wrong.\n\n");
  try {
    const running = await startProject({
      projectDir: options.projectDir,
      environment: environmentOf(options.environment, stateDir),
      log: complaints(console.log),
      report: say,
      signal: interrupt,
      adapt: watched.adapt,
    });
    const database = openDatabase({ url: watched.databaseUrl() });
    try {
      for (const { part, what, standIn } of running.parts)
        say(`${part.padEnd(10)} ${standIn ? "stand-in" : "real    "}  ${what}`);
      write("\n");
      const missing = await runDemo({
        url: running.url ?? "",
        watch: watched.listen,
        query: (what, queries) => database.run(what, queries),
        terminal,
        columns: terminal ? process.stdout.columns || USUAL_COLUMNS : USUAL_COLUMNS,
        write,
        signal: interrupt,
      });
      write(missing === 0 ? NEXT : "");
      return missing === 0 ? 0 : 1;
    } finally {
      await database.close();
      await running.stop();
    }
  } catch (thrown) {
    if (interrupt.aborted) return 130;
    throw thrown;
  } finally {
    await stopEmbedded({ stateDir, report: () => {} });
    rmSync(stateDir, { recursive: true, force: true });
  }
}

const NEXT = `
What to try next:
  bun run handlers                                   the same pipeline, to be asked with curl
  bun run sql "select * from question_waiting"       what waits, why, and until when (while handlers run)
  bun run loadgen -- deploy/questions.json           a load of questions, with a table at the end
  handlers/llm.requests.ts                           one handler, one file; docs/architecture.md tells the rest

`;

/** The defaults, whatever this shell is configured for; waits short enough to look at. */
function environmentOf(given: CommandOptions["environment"], stateDir: string): Record<string, string> {
  const own = new Set<string>(Object.values(settings).map(({ env }) => env));
  const kept = Object.entries(given).flatMap(([name, value]) =>
    value === undefined || own.has(name) || /^(KAFKA|DATABASE)_|^(RUN|NODE_ENV)$/.test(name)
      ? []
      : [[name, value] as const],
  );
  return {
    ...Object.fromEntries(kept),
    STATE_DIR: stateDir,
    HOST: "127.0.0.1",
    PORT: "0",
    OFFLINE_SCRIPT: JSON.stringify(SCRIPT),
    OFFLINE_LATENCY_MS: "300",
    MODEL_TIMEOUT_MS: "1500",
    RETRY_RATE_LIMIT_BASE_MS: "500",
    RETRY_FAILURE_BASE_MS: "700",
  };
}

type Listener = (steps: readonly QuestionStep[]) => void;

/** The application as it is, with its steps and its database's address told to us too. */
function watch() {
  let listener: Listener | null = null;
  let url = "";
  return {
    listen: (call: Listener) => {
      listener = call;
    },
    databaseUrl: () => url,
    adapt: (application: Application): Application => ({
      ...application,
      async start(world: World<SettingValues<SettingDeclarations>>) {
        url = world.database.url;
        const started = await application.start(world);
        return {
          ...started,
          observe(step) {
            started.observe?.(step);
            listener?.(stepsOf(step));
          },
        };
      },
    }),
  };
}

/** Errors and warnings only: the rest would come between the ways. */
function complaints(log: Log): Log {
  return {
    debug() {},
    info() {},
    warn: (event, fields) => log.warn(event, fields),
    error: (event, fields) => log.error(event, fields),
    with: (fields) => complaints(log.with(fields)),
  };
}

function onInterrupt(): AbortSignal {
  const interrupt = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupt.abort());
  return interrupt.signal;
}
