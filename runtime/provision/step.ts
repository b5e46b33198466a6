/**
 * One outside command that may take long, run where a person can see it.
 *
 * In: a command and a sentence that says what it is for. Out: its output, or the reason why it failed, as data.
 * Never here: decisions about what to run, shells (arguments are passed as they are), silence for more than 5 s.
 */
import { describeMs } from "../ground/duration.ts";
import { messageOf } from "../ground/errors.ts";

/** Takes one line for people: what is fetched, built or started, with the time it took so far. */
export type Report = (line: string) => void;

export interface Step {
  /** What happens, as the line shows it: "fetching the librdkafka wheel with pip". */
  readonly title: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly report: Report;
  /** The complete environment of the command. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** The command is killed after this long, in ms. */
  readonly timeoutMs: number;
}

export type StepResult =
  | { readonly ok: true; readonly output: string }
  | { readonly ok: false; readonly reason: string; readonly output: string };

/** How often a running step says that it still runs. */
const TICK_MS = 5_000;
/** Lines of output that are kept, the latest ones. */
const KEPT_LINES = 60;
/** Lines of output that a reason quotes. */
const QUOTED_LINES = 6;

/** Runs one command to its end, reporting its start, every 5 s, and its end. Never throws. */
export async function runStep(step: Step): Promise<StepResult> {
  const startMs = performance.now();
  const elapsed = () => describeMs(performance.now() - startMs);
  const lines: string[] = [];
  step.report(`${step.title} …`);
  const tick = setInterval(() => {
    const last = lines.at(-1);
    step.report(`${step.title} … ${elapsed()}${last ? ` (${last.slice(0, 100)})` : ""}`);
  }, TICK_MS);
  try {
    const status = await runToEnd(step, lines);
    const output = lines.join("\n");
    if (status === "done") {
      step.report(`${step.title}: done in ${elapsed()}`);
      return { ok: true, output };
    }
    step.report(`${step.title}: failed after ${elapsed()}`);
    return { ok: false, reason: [status, ...lines.slice(-QUOTED_LINES)].join("\n"), output };
  } finally {
    clearInterval(tick);
  }
}

async function runToEnd(step: Step, lines: string[]): Promise<string> {
  const [program] = step.command;
  try {
    const child = Bun.spawn([...step.command], {
      env: { ...step.env },
      ...(step.cwd === undefined ? {} : { cwd: step.cwd }),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: step.timeoutMs,
      killSignal: "SIGKILL",
    });
    await Promise.all([keepLines(child.stdout, lines), keepLines(child.stderr, lines)]);
    const code = await child.exited;
    if (code === 0) return "done";
    if (child.signalCode === "SIGKILL") return `${program} was killed after ${describeMs(step.timeoutMs)}`;
    return `${program} ended with ${child.signalCode ?? `status ${code}`}`;
  } catch (thrown) {
    return `${program} could not be run: ${messageOf(thrown)}`;
  }
}

/** Reads a stream to its end; progress bars (carriage returns) count as lines. */
async function keepLines(stream: ReadableStream<Uint8Array>, lines: string[]): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split(/[\r\n]+/);
    rest = parts.pop() ?? "";
    for (const part of parts) keep(lines, part);
  }
  keep(lines, rest);
}

function keep(lines: string[], line: string): void {
  const text = line.trim();
  if (text === "") return;
  lines.push(text);
  if (lines.length > KEPT_LINES) lines.shift();
}
