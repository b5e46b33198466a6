/**
 * How large a record is for whoever bounds memory and requests: key and value. Headers are not counted.
 */

export interface Body {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Where a record can tell by itself, no view of either is made. */
  readonly bodyBytes?: number;
}

/** Bytes of key and value together. */
export function bodyBytesOf(record: Body): number {
  return record.bodyBytes ?? (record.key?.byteLength ?? 0) + (record.value?.byteLength ?? 0);
}
