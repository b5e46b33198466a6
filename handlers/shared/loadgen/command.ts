/**
 * `bun run loadgen -- FILE --rate 50 --count 2000 --repeat 0.2 --url http://127.0.0.1:8000`
 *
 * In: arguments. Out: progress lines, a table, an exit code: 0, or 1 when a question is unaccounted for or refused, or
 * 2 when the arguments or the file cannot be used. Never here: the work itself (see loadgen.ts).
 */
import { parseArgs } from "node:util";
import { CauceError } from "cauce";
import { readDataset } from "../questions/dataset.ts";
import { runLoad } from "./loadgen.ts";
import { exitCodeOf, tableOf } from "./table.ts";

const USAGE = `usage: bun run loadgen -- FILE… [options]

FILE is JSON or JSON lines of {title, content, best_answer}, XQuAD or EVOUNA; several are asked in turn.
  --rate N      asks per second (default 50)
  --count N     how many asks (default: one for each question)
  --repeat N    share of asks that repeat an earlier question, 0 to 1 (default 0.2)
  --url URL     the door (default http://127.0.0.1:8000)
  --seed N      chooses the repeats (default 1)
  --stall N     seconds without any movement after which it gives up (default 300)
`;

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
    const { paths, numbers, url } = readArguments(argv);
    const datasets = await Promise.all(paths.map((path) => readDataset(path)));
    const questions = interleave(datasets.map((dataset) => dataset.questions));
    output.write(
      `${questions.length} questions from ${paths.length} file(s), asked at ${numbers.rate}/s at ${url}\n`,
    );
    const report = await runLoad({
      questions,
      baseUrl: url,
      ratePerSecond: numbers.rate,
      count: numbers.count ?? questions.length,
      repeatShare: numbers.repeat,
      seed: numbers.seed,
      stallMs: numbers.stall * 1_000,
      onProgress: (line) => output.write(`${line}\n`),
      ...(signal && { signal }),
    });
    output.write(tableOf(report));
    return exitCodeOf(report);
  } catch (thrown) {
    if (!(thrown instanceof CauceError) && !(thrown instanceof TypeError)) throw thrown;
    output.writeError(`${thrown.message}\n\n${USAGE}`);
    return 2;
  }
}

function readArguments(argv: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...argv].filter((argument) => argument !== "--"),
    allowPositionals: true,
    options: {
      rate: { type: "string", default: "50" },
      count: { type: "string" },
      repeat: { type: "string", default: "0.2" },
      seed: { type: "string", default: "1" },
      stall: { type: "string", default: "300" },
      url: { type: "string", default: "http://127.0.0.1:8000" },
    },
  });
  if (positionals.length === 0) throw new CauceError("config_invalid", "loadgen needs a file of questions");
  if (!URL.canParse(values.url) || !/^https?:$/.test(new URL(values.url).protocol)) {
    throw new CauceError(
      "config_invalid",
      `--url ${values.url}: expected something like http://127.0.0.1:8000`,
    );
  }
  const numbers = {
    rate: numberOf("rate", values.rate, { least: 0.01, most: 100_000 }),
    count:
      values.count === undefined
        ? undefined
        : numberOf("count", values.count, { least: 1, most: 100_000_000, whole: true }),
    repeat: numberOf("repeat", values.repeat, { least: 0, most: 1 }),
    seed: numberOf("seed", values.seed, { least: 0, most: 4_294_967_295, whole: true }),
    stall: numberOf("stall", values.stall, { least: 1, most: 86_400 }),
  };
  return { paths: positionals, numbers, url: values.url };
}

function numberOf(
  name: string,
  text: string,
  { least, most, whole = false }: { readonly least: number; readonly most: number; readonly whole?: boolean },
): number {
  const value = text.trim() === "" ? NaN : Number(text);
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? "a whole number" : "a number";
  throw new CauceError("config_invalid", `--${name} ${text}: expected ${kind} from ${least} to ${most}`);
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
