/**
 * The binding's consume → produce beside the C loop, in CPU time per message.
 *
 * In: a stage. Out: C's time over ours, pair by pair: 1 is as cheap as C. Never here: the loops (reference/).
 */
import { join } from "node:path";
import { bunHop, type Hop, measureHop } from "../harness/hop.ts";
import { type Measurement, measurement } from "../harness/measurement.ts";
import { interleave } from "../harness/pairs.ts";
import { consumerProperties, propertiesOf } from "../harness/stage.ts";
import { PRODUCER_DEFAULTS } from "../../runtime/kafka/index.ts";

/** Enough for windows of 10 s on two cores; the C loop does up to 1,350,000 a second at 256 bytes, 110,000 at 4 KiB. */
const MESSAGES = { 256: 10_000_000, 4096: 1_000_000 } as const;
const QUICK_SHARE = 0.1;

const row = "binding's consume → produce";
const loop = join(import.meta.dir, "..", "reference", "binding-loop.ts");

export const consumeProduce: readonly Measurement[] = [
  compare({ name: "consume-produce", bytes: 256, must: 0.7, aim: 0.85 }),
  compare({ name: "consume-produce-4k", bytes: 4096, must: 0.7, aim: 0.85 }),
  compare({ name: "consume-produce-headers", bytes: 256, headers: "headers", must: 0.75, aim: 0.95 }),
  compare({ name: "consume-produce-headers-4k", bytes: 4096, headers: "headers", must: 0.75, aim: 0.95 }),
  compare({ name: "consume-produce-rebuilt", bytes: 256, headers: "rebuilt", must: 0.75, aim: 0.95 }),
];

function compare(options: {
  readonly name: string;
  readonly bytes: 256 | 4096;
  /** `headers`: ours hands the four headers on; `rebuilt`: it reads and rebuilds them, as C always does. */
  readonly headers?: "headers" | "rebuilt";
  readonly must: number;
  readonly aim: number;
}): Measurement {
  const { name, bytes, headers, must, aim } = options;
  const beside =
    headers === undefined ? "" : `, four headers ${headers === "headers" ? "handed on" : "read and rebuilt"}`;
  const reference = `CPU per message of the C loop over the binding's, ${bytes} B${beside}`;
  return measurement({ name, row, reference, unit: "ratio", better: "higher", must, aim }, async (stage) => {
    const messages = Math.round(MESSAGES[bytes] * (headers ? 0.4 : 1) * (stage.quick ? QUICK_SHARE : 1));
    const input = await stage.fillTopic({ messages, bytes, headers: headers ? 4 : 0 });
    const pairs = await interleave(stage.pairs, {
      reference: () => measureHop(stage, input, cLoop(headers ? "headers" : "bytes")),
      ours: () =>
        measureHop(stage, input, {
          title: "binding",
          start: bunHop(loop),
          added: 0,
          variant: headers ?? "bytes",
          ...(headers && { ids: "kept" }),
        }),
    });
    await stage.dropTopics(input.topic);
    return pairs.map((pair) => ({
      value: pair.reference.cpuUsPerMessage / pair.ours.cpuUsPerMessage,
      faults: pair.reference.faults + pair.ours.faults,
    }));
  });
}

/** The C loop as a hop; also the yardstick of other measurements. */
export function cLoop(variant: "bytes" | "headers"): Hop {
  return {
    title: "C loop ",
    added: 0,
    variant,
    ...(variant === "headers" && { ids: "kept" }),
    start: ({ brokers, group, from, to, messages, warm }, { reference }) =>
      reference.command(
        "loop",
        brokers,
        group,
        from,
        to,
        messages,
        warm,
        variant,
        consumerProperties(),
        propertiesOf(PRODUCER_DEFAULTS),
      ),
  };
}
