/**
 * The console of one command: level and secrets come from the environment, before it is checked.
 */
import { runtimeSettings } from "../config/runtime-settings.ts";
import { SECRET_NAME } from "../config/secret-files.ts";
import type { LogLevel } from "../ground/log.ts";
import { openConsole, type Console } from "./console.ts";

const SHORTEST_SECRET = 4;

export function openCommandConsole(environment: Readonly<Record<string, string | undefined>>): Console {
  const secrets = Object.entries(environment).flatMap(([name, value]) =>
    value !== undefined && value.length >= SHORTEST_SECRET && SECRET_NAME.test(name)
      ? [value, ...passwordOf(value)]
      : [],
  );
  const level = environment[runtimeSettings.logLevel.env];
  return openConsole({ level: isLevel(level) ? level : "info", secrets });
}

function passwordOf(value: string): string[] {
  if (!URL.canParse(value)) return [];
  const { password } = new URL(value);
  return password.length >= SHORTEST_SECRET ? [decodeURIComponent(password)] : [];
}

function isLevel(text: string | undefined): text is LogLevel {
  return text === "debug" || text === "info" || text === "warn" || text === "error";
}
