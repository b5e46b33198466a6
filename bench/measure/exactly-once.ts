/**
 * The runtime with transactions beside itself without them: the same hop, ordered by key, committing every 100 ms.
 *
 * In: a stage. Out: at-least-once's CPU time over exactly-once's, taken in turns; and messages a second the other way round, one whole run
 * after the other. An output topic without the marks of transactions is a fault.
 */
import { measureHop, measureInTurns, type Hop } from "../harness/hop.ts";
import { type Measurement, measurement } from "../harness/measurement.ts";
import { interleave, repeat } from "../harness/pairs.ts";
import type { Filled, Stage } from "../harness/stage.ts";
import type { Pair } from "../harness/verdict.ts";
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

export const exactlyOnce: readonly Measurement[] = [
  measurement(
    {
      ...limits,
      name: "exactly-once",
      reference: `CPU per message of the runtime at least once over exactly once, ${BYTES} B`,
    },
    (stage) =>
      withHops(stage, (input, hops) => repeat(stage.morePairs, () => measureInTurns(stage, input, hops))),
  ),
  measurement(
    {
      ...limits,
      name: "exactly-once-rate",
      reference: `messages a second of the runtime exactly once over at least once, ${BYTES} B`,
    },
    (stage) =>
      withHops(stage, async (input, { reference, ours }) => {
        const pairs = await interleave(stage.pairs, {
          reference: () => measureHop(stage, input, reference),
          ours: () => measureHop(stage, input, ours),
        });
        return pairs.map((pair) => ({
          value: pair.ours.messagesPerSecond / pair.reference.messagesPerSecond,
          faults: pair.reference.faults + pair.ours.faults,
        }));
      }),
  ),
];

async function withHops(
  stage: Stage,
  measure: (input: Filled, hops: { readonly reference: Hop; readonly ours: Hop }) => Promise<readonly Pair[]>,
): Promise<readonly Pair[]> {
  const messages = Math.round(MESSAGES * (stage.quick ? QUICK_SHARE : 1));
  const input = await stage.fillTopic({ messages, bytes: BYTES, headers: 7 });
  const atLeast = await runtimeHop(stage, "key");
  const exactly = await runtimeHop(stage, "exactly-once");
  const pairs = await measure(input, { reference: atLeast.hop, ours: exactly.hop });
  atLeast.close();
  exactly.close();
  await stage.dropTopics(input.topic);
  return pairs;
}
