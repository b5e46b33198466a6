/**
 * What librdkafka tells about itself, as plain values.
 *
 * In: a native event. Out: a `ClientEvent` that outlives it. Never here: deliveries, rebalances and answers, which
 * belong to the producer, the consumer and the admin; secrets.
 */
import { EVENT } from "./client.ts";
import { ERROR, errorName } from "./failures.ts";
import { type Address, type Library, longText, scratch, text } from "./symbols.ts";

export type ClientEvent =
  | {
      readonly kind: "log";
      /** As syslog counts: 3 error, 4 warning, 5 notice, 6 info, 7 debug. */
      readonly level: number;
      /** librdkafka's short name for the place, such as "FAIL" or "REQTMOUT". */
      readonly facility: string;
      readonly message: string;
    }
  | {
      readonly kind: "error";
      /** librdkafka's number; negative ones are its own, positive ones the broker's. */
      readonly err: number;
      readonly message: string;
      /** A fatal client must be replaced. */
      readonly fatal: boolean;
      /** No broker can be reached at the moment. */
      readonly away: boolean;
    }
  | {
      readonly kind: "statistics";
      /** librdkafka's own JSON, documented in its STATISTICS.md; `readStatistics` makes a small typed structure of it. */
      readonly json: string;
    };

/** The value of an event that is about the client itself; undefined for all others. */
export function readClientEvent(library: Library, event: Address, type: number): ClientEvent | undefined {
  const { native } = library;
  switch (type) {
    case EVENT.log: {
      const out = scratch(24);
      native.rd_kafka_event_log(event, out.address, out.address + 8, out.address + 16);
      return {
        kind: "log",
        level: out.view.getInt32(16, true),
        facility: text(Number(out.view.getBigUint64(0, true))),
        message: text(Number(out.view.getBigUint64(8, true))),
      };
    }
    case EVENT.error: {
      const err = native.rd_kafka_event_error(event);
      return {
        kind: "error",
        err,
        message: `${errorName(library, err)}: ${text(native.rd_kafka_event_error_string(event))}`,
        fatal: native.rd_kafka_event_error_is_fatal(event) !== 0,
        away: err === ERROR.allBrokersDown,
      };
    }
    case EVENT.statistics:
      return { kind: "statistics", json: longText(library, native.rd_kafka_event_stats(event)) };
    default:
      return undefined;
  }
}
