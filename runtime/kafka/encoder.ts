/**
 * Outgoing records as one buffer that crosses at once.
 *
 * In: records and the native topic of each. Out: a table and bytes, laid out as OUTGOING in layout.ts says.
 * Never here: limits and waiting (producer.ts).
 */
import type { OutgoingRecord } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import { OUTGOING } from "./layout.ts";
import type { Address } from "./symbols.ts";

/** Encodes records in order. `topicOf` answers the address of a topic's native handle. */
export function encodeRecords(
  records: readonly OutgoingRecord[],
  topicOf: (topic: string) => Address,
): Uint8Array {
  const size = records.reduce((sum, record) => sum + OUTGOING.size + encodedBytes(record), 0);
  if (size > LARGEST_BATCH_BYTES) {
    throw new CauceError(
      "record_too_large",
      `a batch of ${size} bytes cannot cross at once; at most ${LARGEST_BATCH_BYTES}`,
    );
  }
  const bytes = new Uint8Array(new ArrayBuffer(size));
  const view = new DataView(bytes.buffer);
  let end = records.length * OUTGOING.size;
  const put = (part: Uint8Array): number => {
    const start = end;
    bytes.set(part, start);
    end += part.byteLength;
    return start;
  };
  records.forEach((record, index) => {
    const at = index * OUTGOING.size;
    view.setBigUint64(at + OUTGOING.topic, BigInt(topicOf(record.topic)), true);
    view.setInt32(at + OUTGOING.keyStart, record.key ? put(record.key) : -1, true);
    view.setInt32(at + OUTGOING.keyBytes, record.key?.byteLength ?? 0, true);
    view.setInt32(at + OUTGOING.valueStart, record.value ? put(record.value) : -1, true);
    view.setInt32(at + OUTGOING.valueBytes, record.value?.byteLength ?? 0, true);
    view.setInt32(at + OUTGOING.headersStart, end, true);
    view.setInt32(at + OUTGOING.headerCount, record.headers.length, true);
    for (const [name, value] of record.headers) {
      const nameBytes = headerName(name);
      view.setInt32(end, nameBytes.byteLength, true);
      view.setInt32(end + 4, value ? value.byteLength : -1, true);
      end += HEADER_LENGTHS_BYTES;
      put(nameBytes);
      if (value) put(value);
    }
  });
  return bytes;
}

/** Bytes of key, value and headers as they are counted against the producer's bound. */
export function encodedBytes(record: OutgoingRecord): number {
  let bytes = (record.key?.byteLength ?? 0) + (record.value?.byteLength ?? 0);
  for (const [name, value] of record.headers) {
    bytes += HEADER_LENGTHS_BYTES + headerName(name).byteLength + (value?.byteLength ?? 0);
  }
  return bytes;
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
/** Positions inside a batch are signed 32-bit numbers. */
const LARGEST_BATCH_BYTES = 1 << 30;
