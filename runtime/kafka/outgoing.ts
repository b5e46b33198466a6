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

/** How many records were written, and their bytes of key, value and headers. */
export interface Written {
  readonly count: number;
  readonly bytes: number;
}

export class OutgoingTable {
  readonly #most: number;
  readonly #records: Table;
  #headers = tableOf(64 * HEADER.size);
  /** What the table knows by address alone: a record's getter may have made it just now, and nobody else may hold it. */
  readonly #held: Uint8Array[] = [];
  /** The names of the headers that were written last, by their places. */
  readonly #names: HeaderName[] = [];

  /** A table for at most so many records, used again and again. */
  constructor(most: number) {
    this.#most = most;
    this.#records = tableOf(most * OUTGOING.size);
  }

  get address(): Address {
    return this.#records.address;
  }

  /**
   * Writes records from `from` on: as many as the table holds, up to `most.records` and `most.bytes` of key, value and headers, but one
   * at least. What is written is right until the next event of any kind: cross at once. `topicOf` answers the address of a
   * topic's native handle. One walk: a record's getters may be costly.
   */
  write(
    records: readonly ProducedRecord[],
    from: number,
    most: { readonly records: number; readonly bytes: number },
    topicOf: (topic: string) => Address,
  ): Written {
    this.clear();
    const last = Math.min(records.length - from, this.#most, most.records);
    let bytes = 0;
    let header = 0;
    for (let at = 0; at < last; at++) {
      const record = records[from + at];
      if (record === undefined) return { count: at, bytes };
      let more: number;
      let own = 0;
      if (record instanceof ForwardedRecord) more = this.#writeForwarded(at, record);
      else {
        const { headers } = record;
        own = headers instanceof HeaderBlock ? 0 : headers.length;
        if ((header + own) * HEADER.size > this.#headers.bytes) {
          this.#headers = tableOf(2 * (header + own) * HEADER.size); // what was written points into the table before
          return this.write(records, from, most, topicOf);
        }
        more = this.#writeRecord(at, record, headers, header);
      }
      if (at > 0 && bytes + more > most.bytes) return { count: at, bytes };
      bytes += more;
      header += own;
      this.#records.doubles[(at * OUTGOING.size + OUTGOING.topic) / 8] = topicOf(record.topic);
    }
    return { count: last, bytes };
  }

  /** Lets go of the records' bytes, once they have crossed. */
  clear(): void {
    this.#held.length = 0;
  }

  /** @returns bytes of key, value and headers, as they are counted against the producer's bound */
  #writeRecord(
    at: number,
    { key, value }: ProducedRecord,
    headers: RecordHeaders | HeaderBlock,
    header: number,
  ): number {
    const { doubles, words } = this.#records;
    const double = (at * OUTGOING.size) / 8;
    const word = (at * OUTGOING.size) / 4;
    doubles[double + OUTGOING.key / 8] = this.#whereIs(key);
    doubles[double + OUTGOING.value / 8] = this.#whereIs(value);
    const keyBytes = key === null ? -1 : key.byteLength;
    const valueBytes = value === null ? -1 : value.byteLength;
    words[word + OUTGOING.keyBytes / 4] = keyBytes;
    words[word + OUTGOING.valueBytes / 4] = valueBytes;
    let bytes = Math.max(0, keyBytes) + Math.max(0, valueBytes);
    if (headers instanceof HeaderBlock) {
      doubles[double + OUTGOING.headers / 8] = headers.length === 0 ? 0 : this.#whereIs(headers.bytes);
      words[word + OUTGOING.headerCount / 4] = -headers.length;
      return bytes + headers.byteLength;
    }
    doubles[double + OUTGOING.headers / 8] = this.#headers.address + header * HEADER.size;
    words[word + OUTGOING.headerCount / 4] = headers.length;
    for (let nth = 0; nth < headers.length; nth++) {
      const one = headers[nth];
      if (one !== undefined) bytes += this.#writeHeader(header + nth, nth, one[0], one[1]);
    }
    return bytes;
  }

  #writeForwarded(at: number, record: ForwardedRecord): number {
    const { doubles, words } = this.#records;
    const double = (at * OUTGOING.size) / 8;
    const word = (at * OUTGOING.size) / 4;
    const { address } = record;
    const keyStart = record.word(RECORD.keyStart);
    const valueStart = record.word(RECORD.valueStart);
    const keyBytes = record.word(RECORD.keyBytes);
    const valueBytes = record.word(RECORD.valueBytes);
    doubles[double + OUTGOING.key / 8] = address + keyStart;
    doubles[double + OUTGOING.value / 8] = address + valueStart;
    doubles[double + OUTGOING.headers / 8] = address + record.word(RECORD.headersStart);
    words[word + OUTGOING.keyBytes / 4] = keyStart < 0 ? -1 : keyBytes;
    words[word + OUTGOING.valueBytes / 4] = valueStart < 0 ? -1 : valueBytes;
    words[word + OUTGOING.headerCount / 4] = -record.word(RECORD.headerCount);
    return keyBytes + valueBytes + record.word(RECORD.headersBytes);
  }

  /** @returns its bytes */
  #writeHeader(at: number, nth: number, name: string, value: Uint8Array | null): number {
    const { doubles, words } = this.#headers;
    const { address, length } = this.#nameOf(nth, name);
    const double = (at * HEADER.size) / 8;
    const word = (at * HEADER.size) / 4;
    const valueBytes = value === null ? -1 : value.byteLength;
    doubles[double + HEADER.name / 8] = address;
    doubles[double + HEADER.value / 8] = this.#whereIs(value);
    words[word + HEADER.nameBytes / 4] = length;
    words[word + HEADER.valueBytes / 4] = valueBytes;
    return HEADER_LENGTHS_BYTES + length + Math.max(0, valueBytes);
  }

  /** Records of one producer carry the same names in the same places: looked up once, then compared. */
  #nameOf(nth: number, name: string): HeaderName {
    const before = this.#names[nth];
    if (before?.name === name) return before;
    const found = headerName(name);
    this.#held.push(found.bytes);
    if (before !== undefined) this.#held.push(before.bytes); // a record of this table may name it
    if (nth < MOST_PLACES && nth <= this.#names.length) this.#names[nth] = found;
    return found;
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

interface HeaderName {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly address: Address;
  readonly length: number;
}

/** Header names repeat in every record: their bytes are kept, up to a bound. */
const names = new Map<string, HeaderName>();
const MOST_NAMES = 1_000;
/** Headers of a record whose names are remembered by their place. */
const MOST_PLACES = 64;

function headerName(name: string): HeaderName {
  const known = names.get(name);
  if (known !== undefined) return known;
  const encoded = encoder.encode(name);
  const { bytes, address } = scratch(Math.max(1, encoded.byteLength)); // memory that never moves
  bytes.set(encoded);
  const made = { name, bytes, address, length: encoded.byteLength };
  if (names.size < MOST_NAMES) names.set(name, made);
  return made;
}

const encoder = new TextEncoder();
const HEADER_LENGTHS_BYTES = 8;
