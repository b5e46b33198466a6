/**
 * Headers as they came from the broker: bytes, read only when somebody asks.
 *
 * In: a part of a fetched batch. Out: names and values; or the block as a whole, which a producer writes again unread.
 */
import type { RecordHeaders } from "../bus/bus.ts";

export class HeaderBlock {
  /** How many there are. */
  readonly length: number;
  /** Per header: bytes of the name (i32), bytes of the value (i32, -1 null), name, value. */
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, length: number) {
    this.bytes = bytes;
    this.length = length;
  }

  get byteLength(): number {
    return this.bytes.byteLength;
  }

  /** Names and values, in order. Values are views into the batch. */
  read(): RecordHeaders {
    const { buffer, byteOffset, byteLength } = this.bytes;
    const view = new DataView(buffer, byteOffset, byteLength);
    const headers: [string, Uint8Array | null][] = [];
    let from = 0;
    for (let at = 0; at < this.length; at++) {
      const nameBytes = view.getInt32(from, true);
      const valueBytes = view.getInt32(from + 4, true);
      const start = from + LENGTHS_BYTES + nameBytes;
      const name = utf8.decode(new Uint8Array(buffer, byteOffset + from + LENGTHS_BYTES, nameBytes));
      headers.push([name, valueBytes < 0 ? null : new Uint8Array(buffer, byteOffset + start, valueBytes)]);
      from = start + Math.max(0, valueBytes);
    }
    return headers;
  }
}

const LENGTHS_BYTES = 8;
const utf8 = new TextDecoder();
