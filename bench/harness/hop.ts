/**
 * One measured hop: a process reads a filled topic and writes another, and the judge looks at what came out.
 *
 * In: a stage, a filled topic, how to start the process. Out: its window and its faults. Never here: which process.
 */
import { deriveId } from "../../runtime/engine/envelope.ts";
import { runChild, type ChildOptions, type Window } from "./child.ts";
import { COMMIT_EVERY_MS, PARTITIONS, type Filled, type Stage } from "./stage.ts";
import { Turns } from "./turns.ts";
import type { Pair } from "./verdict.ts";
import type { HopWork } from "./window.ts";

export interface Hop {
  readonly title: string;
  /** How to start it. */
  readonly start: (work: HopWork, stage: Stage) => ChildOptions;
  /** What it does to `n` of each value. */
  readonly added: 0 | 1;
  /** Whose ids the outputs carry in `ce_id`: their input's, ids derived from it for the output of this name, or nobody's. */
  readonly ids?: "kept" | { readonly derivedFor: string };
  /** It writes in transactions: a topic without their marks is a fault. */
  readonly transactional?: boolean;
  /** For the process: what kind of hop this is. */
  readonly variant?: string;
}

/** What counts of a hop, however it was run. */
export interface HopCost {
  /** Messages lost, repeated, changed, out of their key's order, or under a wrong id. */
  readonly faults: number;
  readonly cpuUsPerMessage: number;
}

export interface HopResult extends Window, HopCost {
  readonly messagesPerSecond: number;
}

/** What reference/check.c says. */
export interface Checked {
  readonly missing: number;
  readonly repeated: number;
  readonly wrong: number;
  readonly reordered: number;
  /** Offsets without a record: what ends transactions, and what was aborted. */
  readonly control: number;
  readonly samples: readonly { readonly n: number; readonly id: string }[];
}

const WARM_SHARE = 0.1;
/** Every so-many-th message's id is looked at. */
const SAMPLE_EVERY = 997;

let hops = 0;

export async function measureHop(stage: Stage, input: Filled, hop: Hop): Promise<HopResult> {
  const ran = await runHop(stage, input, hop);
  const { window } = ran;
  const messagesPerSecond = window.messages / (window.wallMs / 1_000);
  const rate = `${Math.round(messagesPerSecond)}/s over ${(window.wallMs / 1_000).toFixed(1)} s`;
  return { ...window, ...(await judgeHop(stage, input, { hop, ran, rate })), messagesPerSecond };
}

/** Runs two hops in turns of a second (turns.ts). @returns the reference's CPU time over ours; their wall time says nothing then. */
export async function measureInTurns(
  stage: Stage,
  input: Filled,
  { reference, ours }: { readonly reference: Hop; readonly ours: Hop },
): Promise<Pair> {
  const turns = new Turns();
  const [first, second] = await Promise.all([reference, ours].map((hop) => runHop(stage, input, hop, turns)));
  if (first === undefined || second === undefined) throw new Error("a hop is missing");
  // Looked at once neither runs any more.
  const theirs = await judgeHop(stage, input, { hop: reference, ran: first });
  const mine = await judgeHop(stage, input, { hop: ours, ran: second });
  return { value: theirs.cpuUsPerMessage / mine.cpuUsPerMessage, faults: theirs.faults + mine.faults };
}

interface RanHop {
  /** The topic that it wrote. */
  readonly to: string;
  readonly window: Window;
}

async function runHop(stage: Stage, input: Filled, hop: Hop, turns?: Turns): Promise<RanHop> {
  const to = await stage.newTopic(PARTITIONS);
  const work: HopWork = {
    brokers: stage.brokers,
    library: stage.library,
    group: `hop-${process.pid}-${++hops}`,
    from: input.topic,
    to,
    messages: input.messages,
    warm: Math.round(input.messages * WARM_SHARE),
    variant: hop.variant ?? "",
    commitEveryMs: COMMIT_EVERY_MS,
  };
  return { to, window: await runChild<Window>({ ...hop.start(work, stage), ...(turns && { turns }) }) };
}

async function judgeHop(
  stage: Stage,
  { messages, bytes }: Filled,
  { hop, ran, rate }: { readonly hop: Hop; readonly ran: RanHop; readonly rate?: string },
): Promise<HopCost> {
  const { window, to } = ran;
  const sampled = hop.ids ? SAMPLE_EVERY : 0;
  const check = stage.reference.command("check", stage.brokers, to, messages, bytes, hop.added, sampled);
  const faults = faultsOf(await runChild<Checked>(check), hop, messages);
  await stage.dropTopics(to);
  const cpuUsPerMessage = window.cpuUs / window.messages;
  const said = [`${cpuUsPerMessage.toFixed(2)} µs CPU a message`, rate, faults > 0 && `${faults} FAULTS`];
  stage.say(`  ${hop.title}: ${said.filter(Boolean).join(", ")}`);
  return { faults, cpuUsPerMessage };
}

/** How many messages are not as they should be. A sample that is not there at all is a fault too. */
export function faultsOf(
  checked: Checked,
  { ids, transactional = false }: Pick<Hop, "ids" | "transactional">,
  messages: number,
): number {
  const { missing, repeated, wrong, reordered, control, samples } = checked;
  const expected = (n: number) => {
    const id = `m-${String(n).padStart(8, "0")}`;
    return typeof ids === "object" ? deriveId(id, ids.derivedFor, 0) : id;
  };
  const otherIds = ids === undefined ? 0 : samples.filter(({ n, id }) => id !== expected(n)).length;
  const absent = ids === undefined ? 0 : Math.max(0, Math.ceil(messages / SAMPLE_EVERY) - samples.length);
  const otherDelivery = transactional === control > 0 ? 0 : 1;
  return missing + repeated + wrong + reordered + otherIds + absent + otherDelivery;
}

/** Starts a TypeScript file of ours with its work. */
export function bunHop(file: string): Hop["start"] {
  return (work) => ({ command: [process.execPath, file, JSON.stringify(work)] });
}
