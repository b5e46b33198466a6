/**
 * Lists of partitions on both sides of the border.
 *
 * In: topic, partition, offset, metadata. Out: native lists that `withList` frees, and plain values read from them.
 * Never here: a native list that outlives the call it was made for.
 */
import { CauceError } from "../ground/errors.ts";
import {
  type Address,
  cString,
  type Library,
  OFFSET,
  PARTITION,
  PARTITION_LIST,
  readAddress,
  readI32,
  readI64,
  scratch,
  text,
} from "./symbols.ts";

/** A partition with what the broker keeps about it. */
export interface PartitionEntry {
  readonly topic: string;
  readonly partition: number;
  /** Undefined: none. */
  readonly offset?: number | undefined;
  /** The text that was committed beside the offset; at most 4096 bytes. */
  readonly metadata?: string | undefined;
}

export interface ReadPartition extends PartitionEntry {
  /** librdkafka's number for what went wrong with this partition, or 0. */
  readonly err: number;
}

/** One string per partition, for sets and maps. Topic names hold no slash. */
export function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

/** Where a partition starts that has no number: librdkafka's logical offsets. */
export const START = { earliest: Number(OFFSET.beginning), latest: Number(OFFSET.end) } as const;

/** Calls `use` with a native list and frees the list afterwards. */
export function withList<Result>(
  library: Library,
  entries: readonly PartitionEntry[],
  use: (list: Address) => Result,
): Result {
  const { native } = library;
  const list = native.rd_kafka_topic_partition_list_new(Math.max(1, entries.length)) ?? 0;
  try {
    for (const entry of entries) {
      const element =
        native.rd_kafka_topic_partition_list_add(list, cString(entry.topic), entry.partition) ?? 0;
      if (entry.offset !== undefined) writeI64(library, element + PARTITION.offset, BigInt(entry.offset));
      if (entry.metadata !== undefined) writeMetadata(library, element, entry.metadata);
    }
    return use(list);
  } finally {
    native.rd_kafka_topic_partition_list_destroy(list);
  }
}

/** Copies a native list. */
export function readList(list: Address): ReadPartition[] {
  if (list === 0) return [];
  const count = readI32(list, PARTITION_LIST.count);
  const elements = readAddress(list, PARTITION_LIST.elements);
  return Array.from({ length: count }, (_, at) => readPartition(elements + at * PARTITION.size));
}

/** Copies one native `rd_kafka_topic_partition_t`. */
export function readPartition(element: Address): ReadPartition {
  const offset = readI64(element, PARTITION.offset);
  const metadataBytes = Number(readI64(element, PARTITION.metadataSize));
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new CauceError("broker", "an offset beyond 2^53 cannot be handled exactly");
  }
  return {
    topic: text(readAddress(element, PARTITION.topic)),
    partition: readI32(element, PARTITION.partition),
    offset: offset < 0n ? undefined : Number(offset),
    metadata:
      metadataBytes > 0 ? text(readAddress(element, PARTITION.metadata)).slice(0, metadataBytes) : undefined,
    err: readI32(element, PARTITION.err),
  };
}

function writeI64(library: Library, to: Address, value: bigint): void {
  const cell = scratch(8);
  cell.view.setBigInt64(0, value, true);
  library.libc.memcpy(to, cell.address, 8);
}

/** The list frees the text, so it lies in memory from malloc. */
function writeMetadata(library: Library, element: Address, metadata: string): void {
  const bytes = cString(metadata);
  const copy = library.libc.malloc(bytes.byteLength) ?? 0;
  library.libc.memcpy(copy, bytes, bytes.byteLength);
  writeI64(library, element + PARTITION.metadata, BigInt(copy));
  writeI64(library, element + PARTITION.metadataSize, BigInt(bytes.byteLength - 1));
}
