/**
 * A command's console for tests.
 *
 * In: nothing. Out: a console, and what was said through it. Never here: a terminal.
 */
import type { CommandOptions } from "cauce/run";
import { silentLog } from "../../runtime/ground/log.ts";

export function testConsole() {
  const said = { out: "", failed: "" };
  const console: CommandOptions["console"] = {
    terminal: false,
    log: silentLog,
    report: () => {},
    write: (text) => void (said.out += text),
    fail: (message) => void (said.failed += message),
  };
  return { console, said };
}
