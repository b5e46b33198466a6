/**
 * Which member of which group in which generation: what a transaction sends beside offsets, so that the broker can
 * refuse a member whose partitions have moved on.
 *
 * In: a consumer's client. Out: bytes of ours that any thread may hand back to librdkafka in this process.
 * Never here: a native object that outlives a call; the bytes' meaning, which is librdkafka's own.
 */
import { CauceError } from "../ground/errors.ts";
import { takeError } from "./failures.ts";
import { type Address, addressOf, type Library, scratch } from "./symbols.ts";

/** Bytes that only `sendOffsets` understands; valid in this process, until the group's next rebalance. */
export type GroupMetadata = Uint8Array & { readonly groupMetadata?: never };

/** Takes the metadata of a consumer. Waits for librdkafka's main thread, not for a broker. */
export function readGroupMetadata(library: Library, consumer: Address): GroupMetadata {
  const { native, libc } = library;
  const metadata = native.rd_kafka_consumer_group_metadata(consumer);
  if (!metadata) throw new CauceError("defect", "a consumer without a group has no group metadata");
  const out = scratch(16);
  const error = native.rd_kafka_consumer_group_metadata_write(metadata, out.address, out.address + 8);
  native.rd_kafka_consumer_group_metadata_destroy(metadata);
  const failure = takeError(library, error, "read the group's metadata");
  if (failure) throw failure;
  const written = Number(out.view.getBigUint64(0, true));
  const bytes = new Uint8Array(new ArrayBuffer(Number(out.view.getBigUint64(8, true))));
  libc.memcpy(bytes, written, bytes.byteLength);
  native.rd_kafka_mem_free(null, written);
  return bytes;
}

/** The generation (or epoch) of the member, -1 outside a group. librdkafka writes it behind the word CGMDv2: in this machine's order. */
export function generationOf(metadata: GroupMetadata): number {
  if (new TextDecoder().decode(metadata.subarray(0, MAGIC.length)) !== MAGIC) {
    throw new CauceError("defect", "librdkafka writes group metadata in a form that is not known");
  }
  return new DataView(metadata.buffer, metadata.byteOffset).getInt32(MAGIC.length, true);
}

const MAGIC = "CGMDv2:";

/** Calls `use` with a native copy and frees it afterwards. */
export function withGroupMetadata<Result>(
  library: Library,
  bytes: Uint8Array,
  use: (metadata: Address) => Result,
): Result {
  const { native } = library;
  const out = scratch(8);
  const copy = scratch(bytes.byteLength);
  copy.bytes.set(bytes);
  const error = native.rd_kafka_consumer_group_metadata_read(
    out.address,
    addressOf(copy.bytes),
    bytes.byteLength,
  );
  const failure = takeError(library, error, "hand over the group's metadata");
  if (failure) throw failure;
  const metadata = Number(out.view.getBigUint64(0, true));
  try {
    return use(metadata);
  } finally {
    native.rd_kafka_consumer_group_metadata_destroy(metadata);
  }
}
