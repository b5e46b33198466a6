/**
 * The runtime with transactions beside itself without them: the same hop, ordered by key, committing every 100 ms.
 *
 * In: a stage. Out: at-least-once's CPU time over exactly-once's, and the other way round for messages a second. An output topic
 * without the marks of transactions is a fault.
 */
import type { HopResult } from "../harness/hop.ts";
import { measureHop } from "../harness/hop.ts";
import type { Measurement } from "../harness/measurement.ts";
import { interleave } from "../harness/pairs.ts";
import { runtimeHop } from "./json-hop.ts";

const MESSAGES = 1_200_000;
const QUICK_SHARE = 0.1;
const BYTES = 256;

const limits = {
  row: "exactly-once vs own at-least-once",
  unit: "ratio",
  better: "higher",
  must: 0.85,
  aim: 0.97,
} as const;

export const exactlyOnce: Measurement = {
  benchmarks: [
    {
      ...limits,
      name: "exactly-once",
      reference: `CPU per message of the runtime at least once over exactly once, ${BYTES} B`,
    },
    {
      ...limits,
      name: "exactly-once-rate",
      reference: `messages a second of the runtime exactly once over at least once, ${BYTES} B`,
    },
  ],
  async measure(stage) {
    const messages = Math.round(MESSAGES * (stage.quick ? QUICK_SHARE : 1));
    const input = await stage.fillTopic({ messages, bytes: BYTES, headers: 7 });
    const atLeast = await runtimeHop(stage, "key");
    const exactly = await runtimeHop(stage, "exactly-once");
    const pairs = await interleave(stage.pairs, {
      reference: () => measureHop(stage, input, atLeast.hop),
      ours: () => measureHop(stage, input, exactly.hop),
    });
    atLeast.close();
    exactly.close();
    await stage.dropTopics(input.topic);
    const ratio = (of: (once: HopResult, least: HopResult) => number) =>
      pairs.map(({ reference, ours }) => ({
        value: of(ours, reference),
        faults: reference.faults + ours.faults,
      }));
    return new Map([
      ["exactly-once", ratio((once, least) => least.cpuUsPerMessage / once.cpuUsPerMessage)],
      ["exactly-once-rate", ratio((once, least) => once.messagesPerSecond / least.messagesPerSecond)],
    ]);
  },
};
