/**
 * Records as they came from the broker: one buffer a batch, fields read when they are asked for.
 *
 * In: a buffer from the crossing, which is ours alone. Out: `IncomingRecord`s whose key, value and headers are views
 * into it, so a record that is kept keeps its whole batch alive. No native memory is behind them.
 * They are getters: destructure a record, a spread of one copies its coordinates alone.
 */
import type { IncomingRecord, RecordHeaders } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import type { FetchedBuffer } from "./crossing.ts";
import { RECORD } from "./layout.ts";

/** An error about a partition that came in the place of a record. */
export interface PartitionError {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly err: number;
  readonly message: string;
}

export interface DecodedBatch {
  readonly records: readonly IncomingRecord[];
  readonly errors: readonly PartitionError[];
}

/**
 * Makes records of a fetched buffer.
 * @throws CauceError `broker` for an offset beyond 2^53, which JavaScript's numbers cannot hold.
 */
export function decodeBatch({ count, bytes }: FetchedBuffer): DecodedBatch {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: IncomingRecord[] = [];
  const errors: PartitionError[] = [];
  let topicStart = -1;
  let topic = "";
  for (let index = 0; index < count; index++) {
    const at = index * RECORD.size;
    const start = view.getInt32(at + RECORD.topicStart, true);
    if (start !== topicStart) {
      topic = start < 0 ? "" : utf8.decode(slice(bytes, start + 4, view.getInt32(start, true)));
      topicStart = start;
    }
    const offset = view.getFloat64(at + RECORD.offset, true);
    const err = view.getInt32(at + RECORD.err, true);
    if (err !== 0) {
      const partition = view.getInt32(at + RECORD.partition, true);
      const message = utf8.decode(
        field(bytes, view, at, RECORD.valueStart, RECORD.valueBytes) ?? new Uint8Array(),
      );
      errors.push({ topic, partition, offset, err, message });
      continue;
    }
    if (!Number.isSafeInteger(offset)) {
      throw new CauceError("broker", `an offset of ${topic} is beyond 2^53 and cannot be handled exactly`);
    }
    records.push(new BatchRecord(bytes, view, at, topic, offset));
  }
  return { records, errors };
}

class BatchRecord implements IncomingRecord {
  readonly topic: string;
  readonly offset: number;
  readonly partition: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #at: number;
  #headers: RecordHeaders | undefined;

  constructor(bytes: Uint8Array, view: DataView, at: number, topic: string, offset: number) {
    this.#bytes = bytes;
    this.#view = view;
    this.#at = at;
    this.topic = topic;
    this.offset = offset;
    this.partition = view.getInt32(at + RECORD.partition, true);
  }

  get timestampMs(): number {
    return this.#view.getFloat64(this.#at + RECORD.timestampMs, true);
  }

  get key(): Uint8Array | null {
    return field(this.#bytes, this.#view, this.#at, RECORD.keyStart, RECORD.keyBytes);
  }

  get value(): Uint8Array | null {
    return field(this.#bytes, this.#view, this.#at, RECORD.valueStart, RECORD.valueBytes);
  }

  get headers(): RecordHeaders {
    return (this.#headers ??= this.#readHeaders());
  }

  #readHeaders(): RecordHeaders {
    const headers: [string, Uint8Array | null][] = [];
    let from = this.#view.getInt32(this.#at + RECORD.headersStart, true);
    const count = this.#view.getInt32(this.#at + RECORD.headerCount, true);
    for (let index = 0; index < count; index++) {
      const nameBytes = this.#view.getInt32(from, true);
      const valueBytes = this.#view.getInt32(from + 4, true);
      const valueStart = from + 8 + nameBytes;
      const name = utf8.decode(slice(this.#bytes, from + 8, nameBytes));
      headers.push([name, valueBytes < 0 ? null : slice(this.#bytes, valueStart, valueBytes)]);
      from = valueStart + Math.max(0, valueBytes);
    }
    return headers;
  }
}

function field(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  start: number,
  length: number,
): Uint8Array | null {
  const from = view.getInt32(at + start, true);
  return from < 0 ? null : slice(bytes, from, view.getInt32(at + length, true));
}

function slice(bytes: Uint8Array, start: number, length: number): Uint8Array {
  return bytes.subarray(start, start + length);
}

const utf8 = new TextDecoder();
