/**
 * How large a record is for whoever bounds memory and requests: key and value. Headers are not counted.
 */
import type { IncomingRecord } from "./bus.ts";

/** Bytes of key and value together; no view of either is made where the record can tell by itself. */
export function bodyBytesOf(record: Pick<IncomingRecord, "bodyBytes" | "key" | "value">): number {
  return record.bodyBytes ?? (record.key?.byteLength ?? 0) + (record.value?.byteLength ?? 0);
}
