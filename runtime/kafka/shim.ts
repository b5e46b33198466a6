/**
 * The crossing through crossing.c, compiled at start (about 7 ms) by the compiler inside Bun.
 *
 * In: a library. Out: a `Crossing`. No compiler, header or link step of the machine is needed: the C code gets
 * librdkafka's functions as a table of addresses.
 */
import { cc, type FFIFunction } from "bun:ffi";
import { fileURLToPath } from "node:url";
import type { Crossing } from "./crossing.ts";
import { MOST_RECORDS } from "./crossing.ts";
import { DELIVERY } from "./layout.ts";
import { type Address, type Library, scratch } from "./symbols.ts";

export function shimCrossing(library: Library): Crossing {
  const c = compile();
  const table = scratch(FUNCTIONS.length * 8);
  FUNCTIONS.forEach((name, at) =>
    table.view.setBigUint64(at * 8, BigInt(library.addressOf(`rd_kafka_${name}`)), true),
  );
  c.cauce_setup(table.address);

  const messages = scratch(MOST_RECORDS * 8);
  const bytesNeeded = scratch(8);
  const produceError = scratch(4);
  let deliveryMessages = scratch(MOST_RECORDS * 8);
  let deliveries = scratch(MOST_RECORDS * DELIVERY.size);

  return {
    kind: "shim",
    fetch(queue, most) {
      const count = Number(
        c.cauce_fetch(queue, messages.address, Math.min(most, MOST_RECORDS), bytesNeeded.address),
      );
      if (count <= 0) return undefined;
      let bytes: Uint8Array<ArrayBuffer>;
      try {
        bytes = new Uint8Array(new ArrayBuffer(bytesNeeded.view.getFloat64(0, true)));
      } catch (error) {
        c.cauce_copy(messages.address, count, null);
        throw error;
      }
      c.cauce_copy(messages.address, count, bytes);
      return { count, bytes };
    },
    produce(client, encoded, count, firstOpaque) {
      const taken = Number(c.cauce_produce(client, encoded, count, firstOpaque, produceError.address));
      return { taken, err: produceError.view.getInt32(0, true) };
    },
    deliveries(event) {
      const most = library.native.rd_kafka_event_message_count(event);
      if (most * 8 > deliveryMessages.bytes.byteLength) {
        deliveryMessages = scratch(most * 8);
        deliveries = scratch(most * DELIVERY.size);
      }
      const count = Number(c.cauce_deliveries(event, deliveryMessages.address, most, deliveries.address));
      return { count, view: deliveries.view };
    },
  };
}

/** In the order of the table in crossing.c. */
const FUNCTIONS = [
  "consume_batch_queue",
  "message_destroy",
  "message_timestamp",
  "message_headers",
  "header_cnt",
  "header_get_all",
  "topic_name",
  "produceva",
  "headers_new",
  "header_add",
  "headers_destroy",
  "error_code",
  "error_destroy",
  "event_message_array",
  "message_status",
] as const;

interface Compiled {
  cauce_setup(table: Address): void;
  cauce_fetch(queue: Address, messages: Address, most: number, bytesNeeded: Address): number | bigint;
  cauce_copy(messages: Address, count: number, buffer: Uint8Array | null): number | bigint;
  cauce_produce(
    client: Address,
    buffer: Uint8Array,
    count: number,
    first: number,
    err: Address,
  ): number | bigint;
  cauce_deliveries(event: Address, messages: Address, most: number, out: Address): number | bigint;
}

function compile(): Compiled {
  const symbols = {
    cauce_setup: { args: ["ptr"], returns: "void" },
    cauce_fetch: { args: ["ptr", "ptr", "u64_fast", "ptr"], returns: "i64_fast" },
    cauce_copy: { args: ["ptr", "i64_fast", "ptr"], returns: "i64_fast" },
    cauce_produce: { args: ["ptr", "ptr", "i64_fast", "f64", "ptr"], returns: "i64_fast" },
    cauce_deliveries: { args: ["ptr", "ptr", "u64_fast", "ptr"], returns: "i64_fast" },
  };
  const source = fileURLToPath(new URL("crossing.c", import.meta.url));
  // bun:ffi's types do not know the names "i64_fast" and "u64_fast" that its documentation lists.
  // Without -nostdlib the compiler wants the C library's link files, which only a machine with developer packages has.
  const compiled = cc({
    source,
    flags: "-nostdlib",
    symbols: symbols as unknown as Record<string, FFIFunction>,
  });
  return compiled.symbols as unknown as Compiled;
}
