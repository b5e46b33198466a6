/**
 * `bun run loadgen -- FILE --rate 50 --count 2000 --zipf 0.99 --html load.html`
 *
 * In: arguments (arguments.ts). Out: progress lines, a table, perhaps JSON and a page; an exit code: 0, or 1 when a question
 * is unaccounted for or refused, or 2 when the arguments or a file cannot be used. Never here: the work (loadgen.ts).
 */
import { writeFile } from "node:fs/promises";
import { CauceError } from "cauce";
import { readDataset } from "../questions/dataset.ts";
import { readTrace } from "../questions/trace.ts";
import { readArguments, USAGE, type LoadArguments } from "./arguments.ts";
import type { Arrivals } from "./arrivals.ts";
import { runLoad } from "./loadgen.ts";
import { pageOf } from "./page.ts";
import { resultOf } from "./result.ts";
import { exitCodeOf, tableOf } from "./table.ts";

export interface Output {
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
}

/** As the command line calls it. */
export default function loadgen(options: {
  readonly arguments: readonly string[];
  readonly console: { readonly write: (text: string) => void };
}): Promise<number> {
  const writeError = (text: string) => void process.stderr.write(text);
  return loadgenCommand(options.arguments, { write: options.console.write, writeError });
}

export async function loadgenCommand(
  argv: readonly string[],
  output: Output,
  signal?: AbortSignal,
): Promise<0 | 1 | 2> {
  try {
    const wanted = readArguments(argv);
    const { paths, url } = wanted;
    const datasets = await Promise.all(paths.map((path) => readDataset(path)));
    const questions = interleave(datasets.map((dataset) => dataset.questions));
    const arrivals = await arrivalsFor(wanted);
    output.write(
      `${questions.length} questions from ${paths.length} file(s), asked ${inWords(arrivals)} at ${url}\n`,
    );
    const startedMs = Date.now();
    const report = await runLoad({
      questions,
      baseUrl: url,
      arrivals,
      popularity: wanted.popularity,
      count: wanted.count ?? (arrivals.kind === "ramp" ? MOST_ASKS : questions.length),
      seed: wanted.seed,
      stallMs: wanted.stallMs,
      depths: true,
      onProgress: (line) => output.write(`${line}\n`),
      ...(signal && { signal }),
    });
    output.write(tableOf(report));
    const result = resultOf({ startedMs, url, options: wanted.given, questions: questions.length, report });
    if (wanted.json !== undefined) await writeFile(wanted.json, `${JSON.stringify(result, undefined, 1)}\n`);
    if (wanted.html !== undefined) await writeFile(wanted.html, pageOf(result));
    return exitCodeOf(report);
  } catch (thrown) {
    if (!(thrown instanceof CauceError) && !(thrown instanceof TypeError)) throw thrown;
    output.writeError(`${thrown.message}\n\n${USAGE}`);
    return 2;
  }
}

const MOST_ASKS = 100_000_000;

async function arrivalsFor({ ramp, trace, spacing, ratePerSecond }: LoadArguments): Promise<Arrivals> {
  if (ramp !== undefined) return { kind: "ramp", spacing, steps: ramp };
  if (trace === undefined) return { kind: spacing, ratePerSecond };
  const rows = await readTrace(trace.path);
  return { kind: "recorded", timesMs: rows.map(({ atMs }) => atMs / trace.speed) };
}

function inWords(arrivals: Arrivals): string {
  if (arrivals.kind === "recorded") return `as ${arrivals.timesMs.length} recorded requests came`;
  if (arrivals.kind !== "ramp") return `at ${arrivals.ratePerSecond}/s (${arrivals.kind})`;
  const rates = arrivals.steps.map(({ ratePerSecond }) => ratePerSecond);
  return `at ${rates[0]}/s to ${rates.at(-1)}/s in ${rates.length} steps (${arrivals.spacing})`;
}

/** One of each file in turn, so that a short count still has all of them. */
function interleave<T>(lists: readonly (readonly T[])[]): readonly T[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, index) =>
    lists.flatMap((list) => list.slice(index, index + 1)),
  ).flat();
}

if (import.meta.main) {
  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort());
  process.exitCode = await loadgenCommand(
    process.argv.slice(2),
    { write: (text) => process.stdout.write(text), writeError: (text) => process.stderr.write(text) },
    interrupt.signal,
  );
}
