/**
 * Buffers for fetched batches, used again once their batch was released: a fresh one costs its pages' first touch, which is
 * more than copying the records.
 *
 * In: how many bytes are needed; buffers that nobody reads any more. Out: buffers. One that is given back is detached first,
 * so a view that somebody kept is empty and never shows another batch's bytes.
 */
import { RECORD } from "./layout.ts";

export class BufferPool {
  readonly #free: ArrayBuffer[] = [];
  #bytes = 0;

  /** A buffer of at least so many bytes. @throws RangeError where there is no memory. */
  take(bytes: number): ArrayBuffer {
    const found = this.#free.findLastIndex((buffer) => buffer.byteLength >= bytes);
    const [buffer] = found === -1 ? [] : this.#free.splice(found, 1);
    if (buffer === undefined) return new ArrayBuffer(Math.ceil(bytes / GRAIN_BYTES) * GRAIN_BYTES);
    this.#bytes -= buffer.byteLength;
    return buffer;
  }

  giveBack(buffer: ArrayBuffer): void {
    const { byteLength } = buffer;
    if (byteLength === 0 || this.#bytes + byteLength > MOST_BYTES) return void buffer.transfer(0);
    this.#bytes += byteLength;
    this.#free.push(buffer.transfer());
  }
}

/** How large a buffer a batch will take, by what the last ones took: one that is guessed too small costs a second one. */
export class SizeGuess {
  #perRecord = FIRST_GUESS_BYTES;

  guess(records: number): number {
    return records * this.#perRecord;
  }

  /** `copied` records and the beginning of the next one took so many bytes, with a table for `records`. */
  missed(records: number, bytes: number, copied: number): void {
    const table = records * RECORD.size;
    this.#perRecord = Math.ceil(RECORD.size + ((bytes - table) / (copied + 1)) * SPARE);
  }
}

const FIRST_GUESS_BYTES = 512;
const SPARE = 1.25;
/** Sizes are rounded up to this, so that batches of about the same size share buffers. */
const GRAIN_BYTES = 64 * 1024;
/** What is kept for later, at most. */
const MOST_BYTES = 32 * 1024 * 1024;
