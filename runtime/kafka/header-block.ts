/**
 * Headers as they came from the broker: bytes, read only when somebody asks.
 *
 * In: a part of a fetched batch. Out: names and values; a few of them as text; or the block as a whole, which a producer writes
 * again unread.
 */
import type { RecordHeaders } from "../bus/bus.ts";

/**
 * The last value of each of these headers, where it has one, as text: a name that nobody asks for costs a comparison of lengths.
 * @param text What lies at so many bytes from the start of the block, as text.
 */
export function headerTexts(
  block: { readonly bytes: Uint8Array; readonly start: number; readonly count: number },
  names: readonly string[],
  text: (start: number, end: number) => string,
): (string | undefined)[] {
  const { bytes, count } = block;
  const { byLength, none } = wantedOf(names);
  const found: (string | undefined)[] = none.slice();
  let from = block.start;
  for (let at = 0; at < count; at++) {
    const nameBytes = i32At(bytes, from);
    const valueBytes = i32At(bytes, from + 4);
    const nameStart = from + LENGTHS_BYTES;
    const start = nameStart + nameBytes;
    from = start + Math.max(0, valueBytes);
    if (valueBytes < 0) continue;
    for (const wanted of byLength[nameBytes] ?? NOBODY)
      if (isSame(wanted.bytes, bytes, nameStart)) found[wanted.place] = text(start, from);
  }
  return found;
}

interface Wanted {
  /** Names of so many bytes, with their places. */
  readonly byLength: readonly (
    readonly { readonly bytes: Uint8Array; readonly place: number }[] | undefined
  )[];
  readonly none: readonly undefined[];
}
const NOBODY: NonNullable<Wanted["byLength"][number]> = [];
/** Readers ask for the same list again and again. */
const wantedByNames = new WeakMap<readonly string[], Wanted>();

function wantedOf(names: readonly string[]): Wanted {
  let wanted = wantedByNames.get(names);
  if (wanted === undefined) {
    const byLength: { bytes: Uint8Array; place: number }[][] = [];
    for (const [place, name] of names.entries()) {
      const bytes = encoder.encode(name);
      (byLength[bytes.byteLength] ??= []).push({ bytes, place });
    }
    wanted = { byLength, none: names.map(() => undefined) };
    wantedByNames.set(names, wanted);
  }
  return wanted;
}

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
    const { bytes } = this;
    const { buffer, byteOffset } = bytes;
    const headers: [string, Uint8Array | null][] = [];
    let from = 0;
    for (let at = 0; at < this.length; at++) {
      const nameBytes = i32At(bytes, from);
      const valueBytes = i32At(bytes, from + 4);
      const start = from + LENGTHS_BYTES + nameBytes;
      const name = nameAt(bytes, from + LENGTHS_BYTES, nameBytes);
      headers.push([name, valueBytes < 0 ? null : new Uint8Array(buffer, byteOffset + start, valueBytes)]);
      from = start + Math.max(0, valueBytes);
    }
    return headers;
  }
}

/** Blocks follow values of any length, so their numbers lie anywhere. */
function i32At(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)
  );
}

/** Names repeat in every record: those of a bounded number are found by their bytes, without decoding. */
const known = new Map<number, { readonly name: string; readonly bytes: Uint8Array }>();
const MOST_NAMES = 1_000;

function nameAt(bytes: Uint8Array, start: number, length: number): string {
  let hash = length;
  for (let at = start; at < start + length; at++) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
  const candidate = known.get(hash);
  if (candidate?.bytes.byteLength === length && isSame(candidate.bytes, bytes, start)) return candidate.name;
  const own = bytes.slice(start, start + length);
  const name = utf8.decode(own);
  if (!candidate && known.size < MOST_NAMES && length <= LONGEST_KEPT) known.set(hash, { name, bytes: own });
  return name;
}

function isSame(name: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let at = 0; at < name.byteLength; at++) if (name[at] !== bytes[start + at]) return false;
  return true;
}

const LENGTHS_BYTES = 8;
/** In bytes. */
const LONGEST_KEPT = 256;
const utf8 = new TextDecoder();
const encoder = new TextEncoder();
