/**
 * Where a message's CPU time goes: by thread, and by function of the JavaScript thread.
 *
 *   bun bench/profile.ts binding|bare|runtime|exactly-once [--messages 1000000]
 *
 * In: which loop, as `bun run bench` measures it. Out: µs a message of each thread in a run that nobody disturbs, then the share of
 * each function in a second run under Bun's sampling profiler (which slows deep stacks down, so shares are hints and not sums).
 * Only the second half of a run counts: by then the code is compiled.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { ChildOptions } from "./harness/child.ts";
import { type Hop, measureHop } from "./harness/hop.ts";
import { openStage } from "./harness/stage.ts";
import { bindingHop } from "./measure/consume-produce.ts";
import { BARE_LOOP, runtimeHop } from "./measure/json-hop.ts";

const LISTED = 25;
/** Clock ticks of /proc/PID/stat on Linux, in ms. */
const TICK_MS = 10;

const { values, positionals } = parseArgs({
  options: { messages: { type: "string", default: "1000000" } },
  allowPositionals: true,
});
const LOOPS = ["runtime", "exactly-once", "bare", "binding"] as const;
type Loop = (typeof LOOPS)[number];
const [wanted = "runtime"] = positionals;
const which = LOOPS.find((loop) => loop === wanted);
const messages = Number(values.messages);
if (which === undefined || !(messages > 0)) {
  process.stderr.write(`which loop? ${LOOPS.join(", ")}; and --messages a number above 0\n`);
  process.exit(2);
}
const say = (line: string) => void process.stdout.write(`${line}\n`);

const folder = mkdtempSync(join(tmpdir(), "cauce-profile-"));
const stage = await openStage({ brokers: undefined, quick: true, say });
try {
  const input = await stage.fillTopic({ messages, bytes: 256, headers: which === "binding" ? 0 : 7 });
  const { hop, close } = await hopOf(which);
  const threads = watchThreads();
  const { messagesPerSecond } = await measureHop(stage, input, hop);
  const halfMessages = messagesPerSecond * (threads.stop() / 1_000);
  for (const [thread, cpuMs] of threads.spent())
    if (cpuMs > 0)
      say(`${thread.padEnd(16)} ${((cpuMs * 1_000) / halfMessages).toFixed(2).padStart(6)} µs a message`);
  await measureHop(stage, input, profiled(hop));
  close();
  for (const [name, share] of selfTimes()) say(`${(100 * share).toFixed(1).padStart(5)} %  ${name}`);
} finally {
  await stage.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);

async function hopOf(loop: Loop): Promise<{ hop: Hop; close: () => void }> {
  if (loop === "runtime") return runtimeHop(stage, "key");
  if (loop === "exactly-once") return runtimeHop(stage, loop);
  return { hop: loop === "bare" ? BARE_LOOP : bindingHop("forwarded", false), close: () => undefined };
}

function profiled(hop: Hop): Hop {
  const BUN_OPTIONS = `--cpu-prof --cpu-prof-dir=${folder} --cpu-prof-interval=500`;
  const start: Hop["start"] = (work, on): ChildOptions => {
    const child = hop.start(work, on);
    return { ...child, env: { ...child.env, BUN_OPTIONS } };
  };
  return { ...hop, start };
}

/** CPU time by thread of the child that works most, since the middle of its life. */
function watchThreads() {
  const samples: { atMs: number; threads: Map<string, number> }[] = [];
  const look = () => {
    const processes = childrenOf(process.pid).map(threadsOf);
    const busiest = processes.toSorted((a, b) => total(b) - total(a))[0];
    if (busiest !== undefined) samples.push({ atMs: performance.now(), threads: busiest });
  };
  const timer = setInterval(look, 250);
  const edges = () => {
    const last = samples.at(-1);
    const middle = samples[samples.length >> 1];
    if (last === undefined || middle === undefined) throw new Error("no process was seen");
    return { last, middle };
  };
  return {
    /** @returns how many ms the second half took */
    stop(): number {
      clearInterval(timer);
      const { last, middle } = edges();
      return last.atMs - middle.atMs;
    },
    spent(): readonly (readonly [string, number])[] {
      const { last, middle } = edges();
      return [...last.threads]
        .map(([name, ms]) => [name, ms - (middle.threads.get(name) ?? 0)] as const)
        .toSorted((a, b) => b[1] - a[1]);
    },
  };
}

/** Children and theirs, without what the stage has started before: those do not run Bun. */
function childrenOf(pid: number): number[] {
  const found: number[] = [];
  for (const thread of entriesOf(`/proc/${pid}/task`)) {
    const words = read(`/proc/${pid}/task/${thread}/children`).trim();
    for (const child of words === "" ? [] : words.split(" ").map(Number)) {
      if (read(`/proc/${child}/comm`).startsWith("bun")) found.push(child);
      found.push(...childrenOf(child));
    }
  }
  return found;
}

function threadsOf(pid: number): Map<string, number> {
  const threads = new Map<string, number>();
  for (const thread of entriesOf(`/proc/${pid}/task`)) {
    const stat = read(`/proc/${pid}/task/${thread}/stat`);
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ms = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    if (Number.isFinite(ms)) threads.set(name, (threads.get(name) ?? 0) + ms);
  }
  return threads;
}

function total(threads: ReadonlyMap<string, number>): number {
  return [...threads.values()].reduce((sum, ms) => sum + ms, 0);
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // it has ended meanwhile
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Of the second half of the largest profile. */
function selfTimes(): readonly (readonly [string, number])[] {
  const texts = readdirSync(folder).map((file) => read(join(folder, file)));
  const [text] = texts.toSorted((a, b) => b.length - a.length);
  if (text === undefined) throw new Error("no profile was written");
  const { nodes, samples, timeDeltas } = JSON.parse(text) as Profile;
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url } }) => [
      id,
      `${functionName === "" ? "(anonymous)" : functionName} ${url.split("/").at(-1)}`,
    ]),
  );
  const spent = new Map<string, number>();
  let all = 0;
  for (let at = samples.length >> 1; at < samples.length; at++) {
    const name = names.get(samples[at] ?? -1) ?? "";
    const us = timeDeltas[at] ?? 0;
    spent.set(name, (spent.get(name) ?? 0) + us);
    all += us;
  }
  return [...spent]
    .map(([name, us]) => [name, us / all] as const)
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, LISTED);
}
