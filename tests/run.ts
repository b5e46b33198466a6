/**
 * `bun run test`: everything that the tests need, then the tests, then one plain line.
 *
 * In: optionally parts of file names; then only these files run, and nothing is started ahead. Out: progress, and as
 * the last line `N passed, N failed`; status 0 only when every test ran and passed. It imports no package before
 * the packages are there. Whatever it starts ends with it, on Ctrl-C and `kill -9` too.
 */
import { join } from "node:path";
import { ensureDependencies } from "../runtime/bin/install.ts";
import { describeMs } from "../runtime/ground/duration.ts";
import { messageOf } from "../runtime/ground/errors.ts";

const root = join(import.meta.dir, "..");

process.exit(await main(process.argv.slice(2)));

async function main(args: readonly string[]): Promise<number> {
  const startMs = performance.now();
  const quickFirst = args.includes("--quick-first");
  const patterns = args.filter((arg) => arg !== "--quick-first");
  try {
    await ensureDependencies({ root, env: process.env, report: say });
    const { runSuite } = await import("./suite.ts");
    const totals = await runSuite({ root, patterns, quickFirst, report: say, signal: interruption() });
    say(`all of it took ${describeMs(performance.now() - startMs)}`);
    say(totals.line);
    return totals.ok ? 0 : 1;
  } catch (thrown) {
    say(messageOf(thrown));
    say("0 passed, 1 failed");
    return 1;
  }
}

/** Ctrl-C, or a request to end: no further file is started, and everything that runs is ended. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(name, () => controller.abort(new Error(`interrupted by ${name}`)));
  }
  return controller.signal;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
