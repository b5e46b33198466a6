/**
 * Where commands write: readable lines on a terminal, JSON lines elsewhere.
 */
import { systemClock } from "../ground/clock.ts";
import type { Log, LogLevel } from "../ground/log.ts";
import { createLog } from "../observe/log.ts";
import type { Report } from "../provision/step.ts";

export interface Console {
  readonly terminal: boolean;
  readonly log: Log;
  /** Progress of what takes long. */
  readonly report: Report;
  /** Text as it is, for people. */
  readonly write: (text: string) => void;
  /** The end of a command: what was wrong and what to do. */
  readonly fail: (message: string) => void;
}

export interface ConsoleOptions {
  readonly level: LogLevel;
  /** Values that must never be shown. */
  readonly secrets: readonly string[];
}

export function openConsole({ level, secrets }: ConsoleOptions): Console {
  const terminal = process.stdout.isTTY;
  const write = (text: string) => void process.stdout.write(text);
  const log = createLog({ write, terminal, level, clock: systemClock, secrets });
  return {
    terminal,
    log,
    report: terminal ? (line) => write(`  ${line}\n`) : (line) => log.info("setup", { step: line }),
    write,
    fail: terminal
      ? (message) => void process.stderr.write(`\n${message}\n`)
      : (message) => log.error("failed", { message }),
  };
}
