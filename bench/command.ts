/**
 * `bun run bench` lists the benchmarks; `bun run bench NAME` runs one on a real Kafka that it starts itself.
 *
 * In: a name, options. Out: progress on the error output, and one line of JSON a benchmark, the asked one last. The exit code is
 * 0 when it passed, 1 when not. A shortened run (`--quick`) never passes. Never here: measuring (measure/).
 */
import { parseArgs } from "node:util";
import { endChildren } from "./harness/child.ts";
import type { Benchmark } from "./harness/measurement.ts";
import { openStage } from "./harness/stage.ts";
import { describeMachine, keepResults } from "./harness/results.ts";
import { judge, type Line } from "./harness/verdict.ts";
import { MEASUREMENTS } from "./list.ts";

const USAGE = `usage: bun run bench [NAME] [--quick | --keep] [--brokers HOST:PORT]

Without NAME: the list. --quick: 3 pairs and short windows, to try things; proves nothing.
--keep: puts the lines into bench/results.jsonl, from which \`bun bench/report.ts\` writes docs/performance.md.
`;

if (import.meta.main) {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      endChildren();
      process.exit(130);
    });
  }
  process.exit(await main());
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      brokers: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const [name, ...more] = positionals;
  if (values.help || more.length > 0 || (values.quick && values.keep)) return refuse(USAGE);
  if (name === undefined) {
    write(`${USAGE}\n${list()}`);
    return 0;
  }
  const { quick, brokers, keep } = values;
  const ran = await run(name, { quick, brokers });
  if (ran === null) return refuse(`there is no benchmark ${name}\n\n${list()}`);
  const { lines, versions } = ran;
  if (keep)
    keepResults(lines, { day: new Date().toISOString().slice(0, 10), machine: describeMachine(), versions });
  for (const line of lines) write(`${JSON.stringify(line)}\n`);
  return lines.at(-1)?.pass === true ? 0 : 1;
}

/** Runs a benchmark. @returns the lines of all that were measured with it, its own last; null where there is none. */
async function run(
  name: string,
  options: { readonly quick: boolean; readonly brokers: string | undefined },
): Promise<{ readonly lines: readonly Line[]; readonly versions: string } | null> {
  const found = MEASUREMENTS.find(({ benchmarks }) => benchmarks.some((each) => each.name === name));
  if (found === undefined) return null;
  const stage = await openStage({ ...options, say: (line) => void process.stderr.write(`${line}\n`) });
  try {
    const pairs = await found.measure(stage);
    const lines = found.benchmarks.map((each) => judge(each.name, each, pairs.get(each.name) ?? [], options));
    return {
      lines: lines.toSorted((a, b) => Number(a.name === name) - Number(b.name === name)),
      versions: stage.versions,
    };
  } finally {
    await stage.close();
  }
}

function list(): string {
  const benchmarks = MEASUREMENTS.flatMap((measurement) => measurement.benchmarks);
  const width = Math.max(...benchmarks.map(({ name }) => name.length));
  return benchmarks.map((each) => `${each.name.padEnd(width)}  ${describe(each)}\n`).join("");
}

function describe({ reference, better, must, aim }: Benchmark): string {
  return `${reference}: ${better === "higher" ? "at least" : "at most"} ${must}, aim ${aim}`;
}

function refuse(text: string): number {
  process.stderr.write(text);
  return 2;
}

function write(text: string): void {
  process.stdout.write(text);
}
