/**
 * The text beside a commit: which messages above the committed offset are finished.
 *
 * In: runs of finished offsets and the life of the log that they belong to. Out: a text of at most `LIMITS.metadataBytes`;
 * and back. What does not fit is left out from its far end and is repeated after a crash. Reading never throws: a foreign
 * text, a damaged one, one of another commit or of another life of the log says nothing.
 *
 * The text is `cauce1.` and Base64 of: CRC-32 of the rest (4 bytes), the committed offset (8), the length of the log's life
 * and its UTF-8, the kind of what follows (1), and that: `runs`, unfinished and finished lengths in turn as LEB128 numbers,
 * or `bits`, one per offset. The shorter kind that says more is taken.
 */
import { crc32 } from "node:zlib";
import { LIMITS } from "./limits.ts";
import type { Run } from "./frontier.ts";

export interface FinishedAbove {
  /** The committed offset; every run lies above it. */
  readonly offset: number;
  /** Which log these offsets count: see `AssignedPartition.life`. */
  readonly life: string;
  readonly above: readonly Run[];
}

const MAGIC = "cauce1.";
const CHECKSUM_BYTES = 4;
const OFFSET_BYTES = 8;
const KIND = { runs: 0, bits: 1 } as const;
const LONGEST_LIFE_BYTES = 255;

/** The text to commit; empty where nothing is finished above or the log's life is too long to name. */
export function writeFinishedAbove({ offset, life, above }: FinishedAbove): string {
  const name = new TextEncoder().encode(life);
  if (above.length === 0 || name.byteLength > LONGEST_LIFE_BYTES) return "";
  const room = Math.floor((LIMITS.metadataBytes - MAGIC.length) / 4) * 3 - CHECKSUM_BYTES - OFFSET_BYTES - 2;
  const body = densest(offset, above, room - name.byteLength);
  if (body === null) return "";
  const bytes = Buffer.alloc(CHECKSUM_BYTES + OFFSET_BYTES + 2 + name.byteLength + body.bytes.length);
  bytes.writeBigUInt64LE(BigInt(offset), CHECKSUM_BYTES);
  bytes.writeUInt8(name.byteLength, CHECKSUM_BYTES + OFFSET_BYTES);
  bytes.set(name, CHECKSUM_BYTES + OFFSET_BYTES + 1);
  bytes.writeUInt8(body.kind, CHECKSUM_BYTES + OFFSET_BYTES + 1 + name.byteLength);
  bytes.set(body.bytes, CHECKSUM_BYTES + OFFSET_BYTES + 2 + name.byteLength);
  bytes.writeUInt32LE(crc32(bytes.subarray(CHECKSUM_BYTES)));
  return MAGIC + bytes.toString("base64");
}

/** The runs that a text names, or none: it must be ours, whole, beside this very offset and of this life of the log. */
export function readFinishedAbove(text: string, { offset, life }: Omit<FinishedAbove, "above">): Run[] {
  if (!text.startsWith(MAGIC) || text.length > LIMITS.metadataBytes) return [];
  const bytes = Buffer.from(text.slice(MAGIC.length), "base64");
  if (bytes.byteLength < CHECKSUM_BYTES + OFFSET_BYTES + 2) return [];
  if (bytes.readUInt32LE() !== crc32(bytes.subarray(CHECKSUM_BYTES))) return [];
  if (bytes.readBigUInt64LE(CHECKSUM_BYTES) !== BigInt(offset)) return [];
  const nameAt = CHECKSUM_BYTES + OFFSET_BYTES + 1;
  const kindAt = nameAt + bytes.readUInt8(nameAt - 1);
  if (kindAt >= bytes.byteLength || bytes.toString("utf8", nameAt, kindAt) !== life) return [];
  const body = bytes.subarray(kindAt + 1);
  const kind = bytes[kindAt];
  if (kind === KIND.runs) return runsOfLengths(offset, body);
  return kind === KIND.bits ? runsOfBits(offset, body) : [];
}

interface Body {
  readonly kind: number;
  readonly bytes: readonly number[] | Uint8Array;
  /** How many finished offsets it names. */
  readonly says: number;
}

function densest(offset: number, above: readonly Run[], room: number): Body | null {
  const lengths = lengthsOf(offset, above, room);
  const bits = bitsOf(offset, above, room);
  const better =
    bits.says > lengths.says || (bits.says === lengths.says && bits.bytes.length < lengths.bytes.length);
  const body = better ? bits : lengths;
  return body.says === 0 ? null : body;
}

function lengthsOf(offset: number, above: readonly Run[], room: number): Body {
  const bytes: number[] = [];
  let at = offset;
  let says = 0;
  for (const { from, to } of above) {
    const pair = [...leb128(from - at), ...leb128(to - from)];
    if (bytes.length + pair.length > room) break;
    bytes.push(...pair);
    says += to - from;
    at = to;
  }
  return { kind: KIND.runs, bytes, says };
}

function bitsOf(offset: number, above: readonly Run[], room: number): Body {
  const span = Math.min((above.at(-1)?.to ?? offset) - offset, room * 8);
  const bytes = new Uint8Array(Math.ceil(span / 8));
  let says = 0;
  for (const { from, to } of above) {
    for (let bit = from - offset; bit < Math.min(to - offset, span); bit++) {
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
      says++;
    }
  }
  return { kind: KIND.bits, bytes, says };
}

function runsOfLengths(offset: number, bytes: Uint8Array): Run[] {
  const runs: Run[] = [];
  let at = offset;
  let value = 0;
  let scale = 1;
  let finished = false;
  for (const byte of bytes) {
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte >= 0x80) continue;
    const to = at + value;
    // Only a writer with a defect gets here: the checksum was right.
    if (!Number.isSafeInteger(to)) return [];
    if (finished && to > at) runs.push({ from: at, to });
    [at, value, scale, finished] = [to, 0, 1, !finished];
  }
  return runs;
}

function runsOfBits(offset: number, bytes: Uint8Array): Run[] {
  const runs: Run[] = [];
  let from: number | null = null;
  for (let bit = 0; bit <= bytes.byteLength * 8; bit++) {
    const finished = ((bytes[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
    if (finished) from ??= bit;
    else if (from !== null) {
      runs.push({ from: offset + from, to: offset + bit });
      from = null;
    }
  }
  return runs;
}

function leb128(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}
