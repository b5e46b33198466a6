/**
 * Outgoing records as one table that crosses at once.
 *
 * In: records and the native topic of each. Out: addresses and sizes, laid out as OUTGOING in layout.ts says. Nothing is
 * copied here: librdkafka copies keys, values and headers before the crossing returns, and until then nothing of ours
 * moves them. Never here: limits and waiting (producer.ts).
 */
import { CauceError } from "../ground/errors.ts";
import type { OutgoingRecord, RecordHeaders } from "../bus/bus.ts";
import { ForwardedRecord } from "./batch.ts";
import { HeaderBlock } from "./header-block.ts";
import { HEADER, OUTGOING, RECORD } from "./layout.ts";
import { type Address, addressOf, scratch } from "./symbols.ts";

/** A record to produce. Headers of a consumed record go on as they are, unread, as its `headerBlock`. */
export interface ProducedRecord extends Omit<OutgoingRecord, "headers"> {
  readonly headers: RecordHeaders | HeaderBlock;
}

export class OutgoingTable {
  readonly #most: number;
  readonly #records: Table;
  #headers = tableOf(64 * HEADER.size);
  /** What the table knows by address alone: a record's getter may have made it just now, and nobody else may hold it. */
  readonly #held: Uint8Array[] = [];

  /** A table for at most so many records, used again and again. */
  constructor(most: number) {
    this.#most = most;
    this.#records = tableOf(most * OUTGOING.size);
  }

  get address(): Address {
    return this.#records.address;
  }

  /**
   * Writes `count` records from `from` on, at most as many as the table holds. What is written is right until the next event of
   * any kind: cross at once. `topicOf` answers the address of a topic's native handle.
   */
  write(
    records: readonly ProducedRecord[],
    { from, count }: { readonly from: number; readonly count: number },
    topicOf: (topic: string) => Address,
  ): void {
    const { doubles, words } = this.#records;
    this.#makeRoom(records, from, count);
    this.clear();
    let header = 0;
    for (let at = 0; at < Math.min(count, this.#most); at++) {
      const record = records[from + at];
      if (record === undefined) return;
      const double = (at * OUTGOING.size) / 8;
      const word = (at * OUTGOING.size) / 4;
      doubles[double + OUTGOING.topic / 8] = topicOf(record.topic);
      if (record instanceof ForwardedRecord) {
        this.#writeForwarded(record, double, word);
        continue;
      }
      const { key, value, headers } = record;
      doubles[double + OUTGOING.key / 8] = this.#whereIs(key);
      doubles[double + OUTGOING.value / 8] = this.#whereIs(value);
      words[word + OUTGOING.keyBytes / 4] = key === null ? -1 : key.byteLength;
      words[word + OUTGOING.valueBytes / 4] = value === null ? -1 : value.byteLength;
      if (headers instanceof HeaderBlock) {
        doubles[double + OUTGOING.headers / 8] = headers.length === 0 ? 0 : this.#whereIs(headers.bytes);
        words[word + OUTGOING.headerCount / 4] = -headers.length;
      } else {
        doubles[double + OUTGOING.headers / 8] = this.#headers.address + header * HEADER.size;
        words[word + OUTGOING.headerCount / 4] = headers.length;
        for (const [name, bytes] of headers) this.#writeHeader(header++, name, bytes);
      }
    }
  }

  /** Lets go of the records' bytes, once they have crossed. */
  clear(): void {
    this.#held.length = 0;
  }

  #writeForwarded(record: ForwardedRecord, double: number, word: number): void {
    const { doubles, words } = this.#records;
    const { address } = record;
    const keyStart = record.word(RECORD.keyStart);
    const valueStart = record.word(RECORD.valueStart);
    doubles[double + OUTGOING.key / 8] = address + keyStart;
    doubles[double + OUTGOING.value / 8] = address + valueStart;
    doubles[double + OUTGOING.headers / 8] = address + record.word(RECORD.headersStart);
    words[word + OUTGOING.keyBytes / 4] = keyStart < 0 ? -1 : record.word(RECORD.keyBytes);
    words[word + OUTGOING.valueBytes / 4] = valueStart < 0 ? -1 : record.word(RECORD.valueBytes);
    words[word + OUTGOING.headerCount / 4] = -record.word(RECORD.headerCount);
  }

  #writeHeader(at: number, name: string, value: Uint8Array | null): void {
    const { doubles, words } = this.#headers;
    const bytes = headerName(name);
    const double = (at * HEADER.size) / 8;
    const word = (at * HEADER.size) / 4;
    doubles[double + HEADER.name / 8] = this.#whereIs(bytes);
    doubles[double + HEADER.value / 8] = this.#whereIs(value);
    words[word + HEADER.nameBytes / 4] = bytes.byteLength;
    words[word + HEADER.valueBytes / 4] = value === null ? -1 : value.byteLength;
  }

  /** Where bytes lie. Empty ones lie anywhere but at NULL, which would be null. */
  #whereIs(bytes: Uint8Array | null): Address {
    if (bytes === null) return 0;
    if (bytes.byteLength > 0) {
      this.#held.push(bytes);
      return addressOf(bytes);
    }
    if (isDetached(bytes))
      throw new CauceError("defect", "a record holds bytes of a batch that was released");
    return this.#records.address;
  }

  /** Headers of all records, before any address of the table is written down. */
  #makeRoom(records: readonly ProducedRecord[], from: number, count: number): void {
    let needed = 0;
    for (let at = from; at < from + count; at++) {
      const record = records[at];
      if (record === undefined || record instanceof ForwardedRecord) continue;
      const { headers } = record; // a consumed record decodes them anew at each look
      if (!(headers instanceof HeaderBlock)) needed += headers.length * HEADER.size;
    }
    if (this.#headers.bytes < needed) this.#headers = tableOf(2 * needed);
  }
}

/** Bytes of key, value and headers as they are counted against the producer's bound. */
export function outgoingBytes(record: ProducedRecord): number {
  if (record instanceof ForwardedRecord)
    return record.word(RECORD.keyBytes) + record.word(RECORD.valueBytes) + record.word(RECORD.headersBytes);
  const { key, value, headers } = record;
  let bytes = (key === null ? 0 : key.byteLength) + (value === null ? 0 : value.byteLength);
  if (headers instanceof HeaderBlock) return bytes + headers.byteLength;
  for (const [name, header] of headers) {
    bytes += HEADER_LENGTHS_BYTES + headerName(name).byteLength + (header === null ? 0 : header.byteLength);
  }
  return bytes;
}

/** Looked at only where bytes are empty: their batch may have been released. */
function isDetached({ buffer }: Uint8Array): boolean {
  return buffer instanceof ArrayBuffer && buffer.detached;
}

interface Table {
  readonly doubles: Float64Array;
  readonly words: Int32Array;
  readonly address: Address;
  readonly bytes: number;
}

function tableOf(bytes: number): Table {
  const { bytes: memory, address } = scratch(bytes);
  return { doubles: new Float64Array(memory.buffer), words: new Int32Array(memory.buffer), address, bytes };
}

/** Header names repeat in every record: their bytes are kept, up to a bound. */
const names = new Map<string, Uint8Array>();
const MOST_NAMES = 1_000;

function headerName(name: string): Uint8Array {
  let bytes = names.get(name);
  if (!bytes) {
    bytes = encoder.encode(name);
    if (names.size < MOST_NAMES) names.set(name, bytes);
  }
  return bytes;
}

const encoder = new TextEncoder();
const HEADER_LENGTHS_BYTES = 8;
