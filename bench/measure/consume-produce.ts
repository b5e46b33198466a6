/**
 * The binding's consume → produce beside the C loop, in CPU time per message.
 *
 * In: a stage. Out: C's time over ours, pair by pair: 1 is as cheap as C. Never here: the loops (reference/).
 */
import { join } from "node:path";
import { bunHop, type Hop, measureInTurns } from "../harness/hop.ts";
import { type Measurement, measurement } from "../harness/measurement.ts";
import { repeat } from "../harness/pairs.ts";
import { consumerProperties, propertiesOf } from "../harness/stage.ts";
import { PRODUCER_DEFAULTS } from "../../runtime/kafka/index.ts";

/** Enough for windows of 10 s on two cores; the C loop does up to 1,350,000 a second at 256 bytes, 110,000 at 4 KiB. */
const MESSAGES = { 256: 10_000_000, 4096: 1_000_000 } as const;
/** Headers make both sides slower. */
const HEADERS_SHARE = 0.4;
const QUICK_SHARE = 0.1;

const row = "binding's consume → produce";
const loop = join(import.meta.dir, "..", "reference", "binding-loop.ts");

export const consumeProduce: readonly Measurement[] = [
  compare({ name: "consume-produce", bytes: 256, headers: 0, ours: "forwarded" }),
  compare({ name: "consume-produce-4k", bytes: 4096, headers: 0, ours: "forwarded" }),
  compare({ name: "consume-produce-read", bytes: 256, headers: 0, ours: "rebuilt" }),
  compare({ name: "consume-produce-read-4k", bytes: 4096, headers: 0, ours: "rebuilt" }),
  compare({ name: "consume-produce-headers", bytes: 256, headers: 4, ours: "forwarded" }),
  compare({ name: "consume-produce-headers-4k", bytes: 4096, headers: 4, ours: "forwarded" }),
  compare({ name: "consume-produce-rebuilt", bytes: 256, headers: 4, ours: "rebuilt" }),
  compare({ name: "consume-produce-rebuilt-4k", bytes: 4096, headers: 4, ours: "rebuilt" }),
];

function compare(options: {
  readonly name: string;
  readonly bytes: 256 | 4096;
  readonly headers: 0 | 4;
  /** `forwarded`: goes on unread; `rebuilt`: key, value and headers are read and a record is made of them, as C always does. */
  readonly ours: "forwarded" | "rebuilt";
}): Measurement {
  const { name, bytes, headers, ours } = options;
  const how = ours === "forwarded" ? "goes on unread" : "is read and built anew";
  const reference = `CPU per message of the C loop over the binding's, ${bytes} B, ${headers} headers, each record ${how}`;
  const limits = headers === 0 ? { must: 0.7, aim: 0.85 } : { must: 0.75, aim: 0.95 };
  return measurement({ name, row, reference, unit: "ratio", better: "higher", ...limits }, async (stage) => {
    const share = (headers === 0 ? 1 : HEADERS_SHARE) * (stage.quick ? QUICK_SHARE : 1);
    const input = await stage.fillTopic({ messages: Math.round(MESSAGES[bytes] * share), bytes, headers });
    const hops = {
      reference: cLoop(headers === 0 ? "bytes" : "headers"),
      ours: bindingHop(ours, headers > 0),
    };
    const pairs = await repeat(stage.pairs, () => measureInTurns(stage, input, hops));
    await stage.dropTopics(input.topic);
    return pairs;
  });
}

/** The binding's loop as a hop. */
export function bindingHop(variant: "forwarded" | "rebuilt", withHeaders: boolean): Hop {
  return { title: "binding", start: bunHop(loop), added: 0, variant, ...(withHeaders && { ids: "kept" }) };
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
