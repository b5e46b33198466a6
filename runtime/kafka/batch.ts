/**
 * Records as they came from the broker: one buffer a batch, fields read when they are asked for.
 *
 * In: a buffer from the crossing, which is ours alone. Out: records whose key, value and headers are views into it, so one
 * that is kept keeps its whole batch alive. No native memory is behind them, so none can dangle. They are getters:
 * destructure a record, a spread of one copies its coordinates alone.
 */
import type { IncomingRecord, RecordHeaders, RecordTexts } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import type { FetchedBuffer } from "./fetched-buffer.ts";
import { HeaderBlock, headerTexts } from "./header-block.ts";
import { RECORD } from "./layout.ts";
import { type Address, addressOf } from "./symbols.ts";

/** A record that was taken from a `Consumer`. */
export interface ConsumedRecord extends Omit<IncomingRecord, keyof RecordTexts>, RecordTexts {
  /** The same key, value and headers for another topic: a producer writes them again unread, which costs least. */
  forward(topic: string): ForwardedRecord;
  /** Its headers unread: a producer writes them again as they are, for a fraction of the cost. */
  readonly headerBlock: HeaderBlock;
}

/** An error about a partition that came in the place of a record. */
export interface PartitionError {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly err: number;
  readonly message: string;
}

export interface DecodedBatch {
  readonly records: readonly ConsumedRecord[];
  readonly errors: readonly PartitionError[];
}

/**
 * Makes records of what was fetched, of the partitions that `owns` answers true for.
 * @throws CauceError `broker` for an offset beyond 2^53, which JavaScript's numbers cannot hold.
 */
export function decodeBatches(
  fetched: readonly FetchedBuffer[],
  owns: (topic: string, partition: number) => boolean,
): DecodedBatch {
  const decoded = { records: [], errors: [] };
  for (const buffer of fetched) decodeBatch(buffer, owns, decoded);
  return decoded;
}

function decodeBatch(
  fetched: FetchedBuffer,
  owns: (topic: string, partition: number) => boolean,
  { records, errors }: { readonly records: ConsumedRecord[]; readonly errors: PartitionError[] },
): void {
  const { count } = fetched;
  const batch = new Batch(fetched);
  let topicStart = -1;
  let topic = "";
  let partition = -1;
  let ours = false;
  for (let index = 0; index < count; index++) {
    const start = batch.word(index, RECORD.topicStart);
    const of = batch.word(index, RECORD.partition);
    if (start !== topicStart || of !== partition) {
      if (start !== topicStart) topic = start < 0 ? "" : batch.lengthAndText(start);
      topicStart = start;
      partition = of;
      ours = owns(topic, partition);
    }
    const offset = batch.double(index, RECORD.offset);
    const err = batch.word(index, RECORD.err);
    if (err !== 0) {
      const words = batch.field(index, RECORD.valueStart, RECORD.valueBytes);
      errors.push({ topic, partition, offset, err, message: words === null ? "" : utf8.decode(words) });
    } else if (!Number.isSafeInteger(offset)) {
      throw new CauceError("broker", `an offset of ${topic} is beyond 2^53 and cannot be handled exactly`);
    } else if (ours) {
      records.push(new BatchRecord(batch, index, topic, partition, offset));
      batch.held++;
    }
  }
}

/**
 * Says that nothing of these records, and of those that were taken with them, is looked at any more: their memory is used again at
 * once. Key, value and headers of all of them throw from then on; what was read of them before is empty, and a producer
 * refuses it. Records that were handed to a producer must be acknowledged before. Records of no batch are left alone.
 */
export function release(records: readonly IncomingRecord[]): void {
  for (const record of records) if (record instanceof BatchRecord) record.release();
}

/** Every host with Node's Buffer has it; its types do not say so. */
interface Sliced extends Buffer {
  utf8Slice(start: number, end: number): string;
}

const BYTE_ORDER_MARK = "\ufeff";
const REPLACEMENT = "\ufffd";

/** The buffer of one batch, seen as numbers. */
class Batch {
  readonly #fetched: FetchedBuffer;
  readonly #buffer: ArrayBuffer;
  /** All of it, for texts that need no view of their own. */
  readonly #bytes: Sliced;
  readonly #doubles: Float64Array;
  readonly #words: Int32Array;
  #released = false;
  #address: Address | undefined;
  /** Somebody has a view of it, and may look at it for as long as they like. */
  #viewed = false;
  /** Records of it that somebody may still read. */
  held = 0;

  constructor(fetched: FetchedBuffer) {
    const { buffer, count } = fetched;
    this.#fetched = fetched;
    this.#buffer = buffer;
    this.#bytes = Buffer.from(buffer) as Sliced;
    this.#doubles = new Float64Array(buffer, 0, (count * RECORD.size) / 8);
    this.#words = new Int32Array(buffer, 0, (count * RECORD.size) / 4);
  }

  double(index: number, field: number): number {
    return this.#doubles[(index * RECORD.size + field) / 8] ?? NaN;
  }

  word(index: number, field: number): number {
    return this.#words[(index * RECORD.size + field) / 4] ?? 0;
  }

  /** A length and a text behind the table. */
  lengthAndText(start: number): string {
    const length = new DataView(this.#buffer, start, 4).getInt32(0, true);
    return utf8.decode(new Uint8Array(this.#buffer, start + 4, length));
  }

  /** As `TextDecoder` has it; for 32 bytes 57 ns and not 87 with a view, which costs three times as much once it must be collected. */
  readonly text = (start: number, end: number): string => {
    const text = this.#bytes.utf8Slice(start, end);
    return text.startsWith(BYTE_ORDER_MARK) || text.includes(REPLACEMENT)
      ? utf8.decode(this.slice(start, end - start))
      : text;
  };

  fieldText(index: number, start: number, length: number): string | null {
    if (this.#released) throw released();
    const from = this.word(index, start);
    return from < 0 ? null : this.text(from, from + this.word(index, length));
  }

  bodyBytes(index: number): number {
    if (this.#released) throw released();
    return Math.max(0, this.word(index, RECORD.keyBytes)) + Math.max(0, this.word(index, RECORD.valueBytes));
  }

  headerTexts(index: number, names: readonly string[]): (string | undefined)[] {
    if (this.#released) throw released();
    const start = this.word(index, RECORD.headersStart);
    const count = this.word(index, RECORD.headerCount);
    return headerTexts({ bytes: this.#bytes, start, count }, names, this.text);
  }

  field(index: number, start: number, length: number): Uint8Array | null {
    const from = this.word(index, start);
    return from < 0 ? null : this.slice(from, this.word(index, length));
  }

  headerBlock(index: number): HeaderBlock {
    const bytes = this.slice(this.word(index, RECORD.headersStart), this.word(index, RECORD.headersBytes));
    return new HeaderBlock(bytes, this.word(index, RECORD.headerCount));
  }

  /** Where the buffer lies, for as long as this batch is referenced. */
  get address(): Address {
    if (this.#released) throw released();
    this.keep();
    return (this.#address ??= addressOf(new Uint8Array(this.#buffer)));
  }

  slice(start: number, length: number): Uint8Array {
    if (this.#released) throw released();
    this.keep();
    return new Uint8Array(this.#buffer, start, length);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#fetched.recycle(this.#buffer);
  }

  /** Whoever asks for this may look at it for as long as they like. */
  keep(): void {
    this.#viewed = true;
  }

  /** One of its records is read no more. */
  letGo(): void {
    if (--this.held === 0 && !this.#viewed) this.release();
  }
}

class BatchRecord implements ConsumedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly #batch: Batch;
  readonly #index: number;
  #held = true;

  constructor(batch: Batch, index: number, topic: string, partition: number, offset: number) {
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
    this.#batch = batch;
    this.#index = index;
  }

  get timestampMs(): number {
    const stamp = this.#batch.double(this.#index, RECORD.timestampMs);
    if (Number.isNaN(stamp)) throw released(); // only a detached table has no number here
    return stamp;
  }

  get key(): Uint8Array | null {
    return this.#batch.field(this.#index, RECORD.keyStart, RECORD.keyBytes);
  }

  get value(): Uint8Array | null {
    return this.#batch.field(this.#index, RECORD.valueStart, RECORD.valueBytes);
  }

  get headers(): RecordHeaders {
    return this.headerBlock.read();
  }

  get headerBlock(): HeaderBlock {
    return this.#batch.headerBlock(this.#index);
  }

  keyText(): string | null {
    return this.#batch.fieldText(this.#index, RECORD.keyStart, RECORD.keyBytes);
  }

  valueText(): string | null {
    return this.#batch.fieldText(this.#index, RECORD.valueStart, RECORD.valueBytes);
  }

  headerTexts(names: readonly string[]): readonly (string | undefined)[] {
    return this.#batch.headerTexts(this.#index, names);
  }

  get bodyBytes(): number {
    return this.#batch.bodyBytes(this.#index);
  }

  forward(topic: string): ForwardedRecord {
    this.#batch.keep();
    return new ForwardedRecord(topic, this.#batch, this.#index);
  }

  release(): void {
    this.#batch.release();
  }

  letGo(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#batch.letGo();
  }
}

/** A consumed record on its way to another topic. */
export class ForwardedRecord {
  readonly topic: string;
  readonly #batch: Batch;
  readonly #index: number;

  constructor(topic: string, batch: Batch, index: number) {
    this.topic = topic;
    this.#batch = batch;
    this.#index = index;
  }

  get key(): Uint8Array | null {
    return this.#batch.field(this.#index, RECORD.keyStart, RECORD.keyBytes);
  }

  get value(): Uint8Array | null {
    return this.#batch.field(this.#index, RECORD.valueStart, RECORD.valueBytes);
  }

  get headers(): HeaderBlock {
    return this.#batch.headerBlock(this.#index);
  }

  /** @internal Where the fields of its batch lie, for `OutgoingTable`. @throws CauceError `defect` after its release */
  get address(): Address {
    return this.#batch.address;
  }

  /** @internal A number of its row in the batch's table; see RECORD in layout.ts. */
  word(field: number): number {
    return this.#batch.word(this.#index, field);
  }
}

function released(): CauceError {
  return new CauceError("defect", "a record was read after its batch was released");
}

const utf8 = new TextDecoder();
