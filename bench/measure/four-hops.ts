/**
 * Latency of four hops at 200 messages a second beside a C chain of four hops, open loop.
 *
 * In: a stage. Out: ours over C's, p50 and p99, pair by pair. Both chains are one process; the probe (reference/probe.c) is the
 * same for both. Ours parses, validates and envelopes at each hop, C copies bytes.
 */
import { join } from "node:path";
import { PRODUCER_DEFAULTS } from "../../runtime/kafka/index.ts";
import { type ChildOptions, runChild, withChild } from "../harness/child.ts";
import type { Measurement } from "../harness/measurement.ts";
import { interleave } from "../harness/pairs.ts";
import { runtimeEnvironment } from "../harness/runtime-environment.ts";
import { consumerProperties, PARTITIONS, propertiesOf, type Stage } from "../harness/stage.ts";

const RATE = 200;
const HOPS = 4;
const WARM = 400;
const MESSAGES = 3_000;
const QUICK_MESSAGES = 800;
const BYTES = 256;

interface Probed {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly missing: number;
  readonly repeated: number;
}

const row = "4 hops p50/p99 at 200 msg/s vs the C chain";
const unit = "ratio";
const reference = (which: string) =>
  `${which} latency of four handlers over that of a C chain, ${RATE}/s, ${BYTES} B`;

export const fourHops: Measurement = {
  benchmarks: [
    {
      name: "four-hops-p50",
      row,
      reference: reference("median"),
      unit,
      better: "lower",
      must: 1.5,
      aim: 1.1,
    },
    { name: "four-hops-p99", row, reference: reference("p99"), unit, better: "lower", must: 2, aim: 1.2 },
  ],
  async measure(stage) {
    const databaseUrl = await stage.newDatabase();
    const pairs = await interleave(stage.pairs, {
      reference: () => probe(stage, "C chain ", (name, topics) => cChain(stage, name, topics)),
      ours: () => probe(stage, "handlers", (name, topics) => handlers(stage, databaseUrl, name, topics)),
    });
    const ratio = (which: "p50Ms" | "p99Ms") =>
      pairs.map(({ reference: c, ours }) => ({
        value: ours[which] / c[which],
        faults: c.missing + c.repeated + ours.missing + ours.repeated,
      }));
    return new Map([
      ["four-hops-p50", ratio("p50Ms")],
      ["four-hops-p99", ratio("p99Ms")],
    ]);
  },
};

let chains = 0;

async function probe(
  stage: Stage,
  title: string,
  chain: (name: string, topics: readonly string[]) => ChildOptions,
): Promise<Probed> {
  const topics: string[] = [];
  for (let hop = 0; hop <= HOPS; hop++) topics.push(await stage.newTopic(PARTITIONS));
  const [first = ""] = topics;
  const messages = stage.quick ? QUICK_MESSAGES : MESSAGES;
  const properties = propertiesOf(PRODUCER_DEFAULTS);
  const result = await withChild(chain(`chain-${process.pid}-${++chains}`, topics), () =>
    runChild<Probed>(
      stage.reference.command(
        "probe",
        stage.brokers,
        first,
        topics.at(-1) ?? "",
        RATE,
        messages,
        WARM,
        BYTES,
        properties,
      ),
    ),
  );
  await stage.dropTopics(...topics);
  stage.say(`  ${title}: p50 ${result.p50Ms.toFixed(2)} ms, p99 ${result.p99Ms.toFixed(2)} ms`);
  return result;
}

function cChain({ reference: c, brokers }: Stage, name: string, topics: readonly string[]): ChildOptions {
  return c.command(
    "chain",
    brokers,
    name,
    topics.join(","),
    consumerProperties(),
    propertiesOf(PRODUCER_DEFAULTS),
  );
}

function handlers(stage: Stage, databaseUrl: string, name: string, topics: readonly string[]): ChildOptions {
  return {
    command: [process.execPath, join(import.meta.dir, "..", "runtime", "four-hops.ts")],
    env: {
      ...runtimeEnvironment(stage, databaseUrl),
      RUN: topics
        .slice(1)
        .map((_, at) => `${name}-${at + 1}`)
        .join(","),
      TOPICS: topics.join(","),
      NAME: name,
    },
  };
}
