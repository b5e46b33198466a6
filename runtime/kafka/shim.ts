/**
 * The crossing through crossing.c, compiled at start (about 7 ms) by the compiler inside Bun, or built ahead of time.
 *
 * In: a library. Out: a `Crossing`. No compiler, header or link step of the machine is needed: the C code gets
 * librdkafka's functions as a table of addresses. A shim that lies beside the library (shim-ahead.ts) is taken as it is.
 */
import { cc, dlopen, type FFIFunction } from "bun:ffi";
import { existsSync } from "node:fs";
import { BufferPool, SizeGuess } from "./buffer-pool.ts";
import type { Crossing } from "./crossing.ts";
import type { FetchedBuffer } from "./fetched-buffer.ts";
import { MOST_RECORDS } from "./crossing.ts";
import { pointerArray } from "./pointers.ts";
import { SHIM_SOURCE, shimAheadOf } from "./shim-ahead.ts";
import { type Address, cString, type Library, scratch } from "./symbols.ts";

export function shimCrossing(library: Library): Crossing {
  const ahead = shimAheadOf(library.path);
  const builtAhead = existsSync(ahead);
  const c = builtAhead ? open(ahead) : compile();
  const addresses = [
    ...FUNCTIONS.map((name) => library.addressOf(`rd_kafka_${name}`)),
    library.libc.dlsym(null, cString("strlen")) ?? 0,
  ];
  const functions = pointerArray(addresses);
  c.cauce_setup(functions.address);

  const buffers = new BufferPool();
  const sizes = new SizeGuess();
  const messages = scratch(MOST_RECORDS * 8);
  const needed = scratch(8);
  const produceError = scratch(4);
  let reports = scratch(MOST_RECORDS * 8);
  let complete = scratch(MOST_RECORDS * 8);

  /** Copies messages that were fetched into one buffer. @returns how many there was room for. */
  function copy(from: number, count: number, into: FetchedBuffer[]): number {
    const first = messages.address + from * 8;
    for (let bytes = sizes.guess(count); ; bytes = needed.view.getFloat64(0, true)) {
      let buffer: ArrayBuffer;
      try {
        buffer = buffers.take(bytes);
      } catch (error) {
        c.cauce_copy(first, count, null, 0, needed.address);
        throw error;
      }
      const copied = Number(
        c.cauce_copy(first, count, new Uint8Array(buffer), buffer.byteLength, needed.address),
      );
      if (copied < count) sizes.missed(count, needed.view.getFloat64(0, true), copied);
      if (copied > 0) {
        into.push({ count: copied, buffer, recycle: (used) => buffers.giveBack(used) });
        return copied;
      }
      buffers.giveBack(buffer);
    }
  }

  return {
    kind: "shim",
    builtAhead,
    fetch(queue, most) {
      const wanted = Math.min(most, MOST_RECORDS);
      const count = Number(c.cauce_fetch(queue, messages.address, wanted));
      const fetched: FetchedBuffer[] = [];
      for (let from = 0; from < count;) from += copy(from, count - from, fetched);
      return fetched;
    },
    produce(client, table, count, answers) {
      const taken = Number(
        c.cauce_produce(client, table.address, count, answers.address, produceError.address),
      );
      return { taken, err: produceError.view.getInt32(0, true) };
    },
    deliveries(event) {
      const most = library.native.rd_kafka_event_message_count(event);
      if (most * 8 > reports.bytes.byteLength) {
        reports = scratch(most * 8);
        complete = scratch(most * 8);
      }
      const count = Number(c.cauce_deliveries(event, reports.address, most, complete.address));
      return new Float64Array(complete.bytes.buffer, 0, count);
    },
  };
}

/** In the order of the table in crossing.c; strlen of the C library follows. */
const FUNCTIONS = [
  "consume_batch_queue",
  "message_destroy",
  "message_timestamp",
  "message_headers",
  "header_get_all",
  "topic_name",
  "produce",
  "last_error",
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
  cauce_fetch(queue: Address, messages: Address, most: number): number | bigint;
  cauce_copy(
    messages: Address,
    count: number,
    buffer: Uint8Array | null,
    capacity: number,
    needed: Address,
  ): number | bigint;
  cauce_produce(
    client: Address,
    table: Address,
    count: number,
    answers: Address,
    err: Address,
  ): number | bigint;
  cauce_deliveries(event: Address, messages: Address, most: number, complete: Address): number | bigint;
}

// bun:ffi's types do not know the names "i64_fast" and "u64_fast" that its documentation lists.
const SYMBOLS = {
  cauce_setup: { args: ["ptr"], returns: "void" },
  cauce_fetch: { args: ["ptr", "ptr", "u64_fast"], returns: "i64_fast" },
  cauce_copy: { args: ["ptr", "i64_fast", "ptr", "i64_fast", "ptr"], returns: "i64_fast" },
  cauce_produce: { args: ["ptr", "ptr", "i64_fast", "ptr", "ptr"], returns: "i64_fast" },
  cauce_deliveries: { args: ["ptr", "ptr", "u64_fast", "ptr"], returns: "i64_fast" },
} as unknown as Record<string, FFIFunction>;

function compile(): Compiled {
  // Without -nostdlib the compiler wants the C library's link files, which only a machine with developer packages has.
  const compiled = cc({ source: SHIM_SOURCE, flags: "-nostdlib", symbols: SYMBOLS });
  return compiled.symbols as unknown as Compiled;
}

function open(path: string): Compiled {
  return dlopen(path, SYMBOLS).symbols as unknown as Compiled;
}
