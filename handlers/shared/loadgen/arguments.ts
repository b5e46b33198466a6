/**
 * The load generator's command line.
 *
 * In: arguments. Out: what they mean, checked. @throws CauceError `config_invalid` that names the argument and what was
 * expected. Never here: reading files.
 */
import { parseArgs } from "node:util";
import { CauceError } from "cauce";
import type { RampStep } from "./arrivals.ts";
import type { Popularity } from "./popularity.ts";

export const USAGE = `usage: bun run loadgen -- FILE… [options]

FILE is JSON or JSON lines of {title, content, best_answer}, XQuAD or EVOUNA; several are asked in turn.
When:
  --rate N       asks per second (default 50)
  --arrivals A   even (default) or poisson: gaps by chance, as of askers unaware of each other
  --ramp A:B:C   instead: from A asks per second to B in steps of C, to find the knee
  --hold N       seconds of each step (default 15)
  --trace CSV    instead: as recorded (TIMESTAMP,ContextTokens,GeneratedTokens); with OFFLINE_TRACE=CSV the
                 offline model takes as long as its token counts say
  --speed N      plays the trace N times as fast (default 1)
  --count N      how many asks (default: one for each question; all steps of a ramp)
Who:
  --zipf S       the r-th question is asked in proportion to 1 / r^S
  --repeat N     else: share of asks that repeat an earlier question, 0 to 1 (default 0.2)
  --seed N       decides both by chance, always the same way (default 1)
Where and what comes out:
  --url URL      the door (default http://127.0.0.1:8000)
  --stall N      seconds without any movement after which it gives up (default 300)
  --json FILE    the result as JSON
  --html FILE    the result as a page with plots
  --note TEXT    what they should say about the run
`;

export interface LoadArguments {
  readonly paths: readonly string[];
  readonly url: string;
  readonly ratePerSecond: number;
  readonly spacing: "even" | "poisson";
  readonly ramp: readonly RampStep[] | undefined;
  readonly trace: { readonly path: string; readonly speed: number } | undefined;
  readonly count: number | undefined;
  readonly popularity: Popularity;
  readonly seed: number;
  readonly stallMs: number;
  readonly json: string | undefined;
  readonly html: string | undefined;
  /** Names and values as given, for the result. */
  readonly given: Readonly<Record<string, string>>;
}

export function readArguments(argv: readonly string[]): LoadArguments {
  const { values, positionals } = parseArgs({
    args: [...argv].filter((argument) => argument !== "--"),
    allowPositionals: true,
    options: {
      rate: { type: "string", default: "50" },
      arrivals: { type: "string", default: "even" },
      ramp: { type: "string" },
      hold: { type: "string", default: "15" },
      trace: { type: "string" },
      speed: { type: "string", default: "1" },
      count: { type: "string" },
      zipf: { type: "string" },
      repeat: { type: "string", default: "0.2" },
      seed: { type: "string", default: "1" },
      stall: { type: "string", default: "300" },
      url: { type: "string", default: "http://127.0.0.1:8000" },
      json: { type: "string" },
      html: { type: "string" },
      note: { type: "string" },
    },
  });
  if (positionals.length === 0) throw refuse("loadgen needs a file of questions");
  const { url, arrivals, trace } = values;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw refuse(`--url ${url}: expected something like http://127.0.0.1:8000`);
  }
  if (arrivals !== "even" && arrivals !== "poisson")
    throw refuse(`--arrivals ${arrivals}: expected even or poisson`);
  if (trace !== undefined && values.ramp !== undefined)
    throw refuse("--trace and --ramp: give one of them; both say when to ask");
  const hold = numberOf("hold", values.hold, { least: 0.1, most: 86_400 });
  const speed = numberOf("speed", values.speed, { least: 0.001, most: 100_000 });
  return {
    paths: positionals,
    url,
    ratePerSecond: numberOf("rate", values.rate, RATE),
    spacing: arrivals,
    ramp: values.ramp === undefined ? undefined : rampOf(values.ramp, hold),
    trace: trace === undefined ? undefined : { path: trace, speed },
    count: values.count === undefined ? undefined : numberOf("count", values.count, WHOLE),
    popularity:
      values.zipf === undefined
        ? { kind: "repeats", share: numberOf("repeat", values.repeat, { least: 0, most: 1 }) }
        : { kind: "zipf", exponent: numberOf("zipf", values.zipf, { least: 0, most: 10 }) },
    seed: numberOf("seed", values.seed, { least: 0, most: 4_294_967_295, whole: true }),
    stallMs: numberOf("stall", values.stall, { least: 1, most: 86_400 }) * 1_000,
    json: values.json,
    html: values.html,
    given: givenIn(values, positionals),
  };
}

const RATE = { least: 0.01, most: 100_000 };
const WHOLE = { least: 1, most: 100_000_000, whole: true };
const MOST_STEPS = 1_000;

/** "50:400:50" → 50, 100, … 400 per second. */
function rampOf(text: string, holdSeconds: number): readonly RampStep[] {
  const parts = text.split(":");
  if (parts.length !== 3) throw refuse(`--ramp ${text}: expected FROM:TO:STEP such as 50:400:50`);
  const [from = 0, to = 0, by = 0] = parts.map((part) => numberOf("ramp", part, RATE));
  const count = Math.floor((to - from) / by + 1e-9) + 1;
  if (count < 1 || count > MOST_STEPS) {
    throw refuse(`--ramp ${text}: expected 1 to ${MOST_STEPS} steps upwards, such as 50:400:50`);
  }
  return Array.from({ length: count }, (_, index) => ({
    ratePerSecond: from + index * by,
    forMs: holdSeconds * 1_000,
  }));
}

function numberOf(
  name: string,
  text: string,
  { least, most, whole = false }: { readonly least: number; readonly most: number; readonly whole?: boolean },
): number {
  const value = text.trim() === "" ? NaN : Number(text);
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? "a whole number" : "a number";
  throw refuse(`--${name} ${text}: expected ${kind} from ${least} to ${most}`);
}

/**
 * What decided the run, and no default that did not matter. The last part of a path is enough to know the file, and says
 * nothing of the machine.
 */
function givenIn(
  values: Readonly<Record<string, string | undefined>>,
  paths: readonly string[],
): Readonly<Record<string, string>> {
  const { trace, ramp, zipf } = values;
  const nameOf = (path: string) => path.split("/").at(-1) ?? path;
  const idle = new Set([
    "json",
    "html",
    "url",
    ...(trace === undefined ? ["speed"] : ["rate", "arrivals"]),
    ...(ramp === undefined ? ["hold"] : ["rate"]),
    ...(zipf === undefined ? [] : ["repeat"]),
  ]);
  const given = Object.entries(values).flatMap(([name, value]) =>
    value === undefined || idle.has(name) ? [] : [[name, name === "trace" ? nameOf(value) : value] as const],
  );
  return { files: paths.map(nameOf).join(", "), ...Object.fromEntries(given) };
}

function refuse(message: string): CauceError {
  return new CauceError("config_invalid", message);
}
