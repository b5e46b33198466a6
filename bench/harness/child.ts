/**
 * One process under test: started, waited for, and its last line read.
 *
 * In: a command. Out: the JSON object that it printed last. What it complains of goes into the error. It ends with us.
 * Never here: what it measures.
 */
import type { Turns } from "./turns.ts";

export interface ChildOptions {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Called for each line of its output as it comes. `end` asks it to stop (SIGTERM). */
  readonly onLine?: (line: string, child: { end(): void }) => void;
  /** It runs only when it is its turn. */
  readonly turns?: Turns;
}

/** What a process under test says of its window. */
export interface Window {
  readonly messages: number;
  /** User and system time of all its threads, in µs. */
  readonly cpuUs: number;
  readonly wallMs: number;
}

const LONGEST_MS = 5 * 60_000;

/** @throws Error with its last complaints when it ends with anything but 0, or says nothing. */
export async function runChild<Result>(options: ChildOptions): Promise<Result> {
  const { child, complaints } = spawn(options);
  let last = "";
  const end = () => child.kill("SIGTERM");
  const ended = options.turns?.enter({
    pause: () => child.kill("SIGSTOP"),
    resume: () => child.kill("SIGCONT"),
  });
  for await (const line of linesOf(child.stdout)) {
    last = line;
    options.onLine?.(line, { end });
  }
  const code = await child.exited;
  ended?.();
  const said = (await complaints).slice(-LONGEST_COMPLAINT);
  if (code !== 0) throw new Error(`${titleOf(options)} ended with ${code}:\n${said}`);
  try {
    return JSON.parse(last) as Result;
  } catch {
    throw new Error(`${titleOf(options)} ended with no JSON but ${JSON.stringify(last)}:\n${said}`);
  }
}

/** A child that runs beside what its starter does. */
export interface Beside {
  readonly pid: number;
  /** Asks it to end (SIGTERM) and waits until it has. */
  stop(): Promise<void>;
}

/**
 * Runs a child beside `work`, and ends it after that.
 * @throws Error with its last complaints when it ends before, unasked.
 */
export async function withChild<Result>(
  options: ChildOptions,
  work: (beside: Beside) => Promise<Result>,
): Promise<Result> {
  const { child, complaints } = spawn(options);
  let wanted = false;
  const early = child.exited.then(async (code) => {
    if (wanted) return new Promise<never>(() => undefined);
    const said = (await complaints).slice(-LONGEST_COMPLAINT);
    throw new Error(`${titleOf(options)} ended early with ${code}:\n${said}`);
  });
  const reading = (async () => {
    const end = () => child.kill("SIGTERM");
    for await (const line of linesOf(child.stdout)) options.onLine?.(line, { end });
  })();
  const stop = async (signal: "SIGTERM" | "SIGKILL") => {
    wanted = true;
    child.kill(signal);
    await Promise.all([child.exited, reading]);
  };
  try {
    return await Promise.race([work({ pid: child.pid, stop: () => stop("SIGTERM") }), early]);
  } finally {
    await stop("SIGKILL");
  }
}

function spawn(options: ChildOptions) {
  const child = Bun.spawn([...options.command], {
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    // TypeScript children end when this pipe does; the C programs when their parent does.
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    timeout: LONGEST_MS,
    killSignal: "SIGKILL",
  });
  living.add(child);
  void child.exited.then(() => living.delete(child));
  return { child, complaints: new Response(child.stderr).text() };
}

function titleOf({ command }: ChildOptions): string {
  return command.slice(0, 2).join(" ");
}

const LONGEST_COMPLAINT = 2_000;
const living = new Set<Bun.Subprocess>();

/** Ends what still runs: for a benchmark that is interrupted. */
export function endChildren(): void {
  for (const child of living) child.kill("SIGKILL");
}

export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines.filter((line) => line !== "");
  }
  if (rest !== "") yield rest;
}
