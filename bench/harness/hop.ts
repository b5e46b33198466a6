/**
 * One measured hop: a process reads a filled topic and writes another, and the judge looks at what came out.
 *
 * In: a stage, a filled topic, how to start the process. Out: its window and its faults. Never here: which process.
 */
import { deriveId } from "../../runtime/engine/envelope.ts";
import { runChild, type ChildOptions, type Window } from "./child.ts";
import { COMMIT_EVERY_MS, PARTITIONS, type Filled, type Stage } from "./stage.ts";
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

export interface HopResult extends Window {
  /** Messages lost, repeated, changed, out of their key's order, or under a wrong id. */
  readonly faults: number;
  readonly cpuUsPerMessage: number;
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
  const window = await runChild<Window>(hop.start(work, stage));
  const checked = await runChild<Checked>(
    stage.reference.command(
      "check",
      stage.brokers,
      to,
      input.messages,
      input.bytes,
      hop.added,
      hop.ids ? SAMPLE_EVERY : 0,
    ),
  );
  await stage.dropTopics(to);
  const faults = faultsOf(checked, hop, input.messages);
  const result = {
    ...window,
    faults,
    cpuUsPerMessage: window.cpuUs / window.messages,
    messagesPerSecond: window.messages / (window.wallMs / 1_000),
  };
  stage.say(
    `  ${hop.title}: ${result.cpuUsPerMessage.toFixed(2)} µs CPU a message, ${Math.round(result.messagesPerSecond)}/s over ${(window.wallMs / 1_000).toFixed(1)} s${faults === 0 ? "" : `, ${faults} FAULTS`}`,
  );
  return result;
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
