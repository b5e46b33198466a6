/**
 * How people call a command of Cauce where they are: `bun run stop` in a checkout, `bunx cauce stop` in a project that has
 * Cauce as a package. In: a command. Out: what messages and reports say. Never here: running it.
 */

/** @param words The command with its arguments, such as `stop` or `send TOPIC JSON`. */
export function commandLine(words: string): string {
  return `${import.meta.dir.includes("node_modules") ? "bunx cauce" : "bun run"} ${words}`;
}
