/**
 * The layouts in which batches cross the border, shared by crossing.c (compiled) and plain.ts (calls alone).
 *
 * In: nothing. Out: offsets in bytes, little endian. A change here is a change in crossing.c, and the other way round.
 */

/** One record read. Starts count from the beginning of the batch; -1 is null. */
export const RECORD = {
  size: 56,
  offset: 0, // f64
  timestampMs: 8, // f64, -1 where the record has none
  partition: 16, // i32, as all below
  topicStart: 20, // length (i32), then the name; shared by neighbours
  err: 24, // not 0: no record but an error about the partition; its value is the text
  keyStart: 32,
  keyBytes: 36,
  valueStart: 40,
  valueBytes: 44,
  headersStart: 48, // per header: name bytes (i32), value bytes (i32, -1 null), name, value
  headerCount: 52,
} as const;

/** One record to write, in a table at the beginning of its buffer. */
export const OUTGOING = {
  size: 32,
  topic: 0, // u64, the address of the topic handle
  keyStart: 8,
  keyBytes: 12,
  valueStart: 16,
  valueBytes: 20,
  headersStart: 24,
  headerCount: 28,
} as const;

/** What became of one record. */
export const DELIVERY = {
  size: 32,
  opaque: 0, // f64
  offset: 8, // f64
  partition: 16,
  err: 20,
  status: 24, // see PERSISTED in failures.ts
} as const;
