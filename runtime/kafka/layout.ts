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
  headersBytes: 28,
  keyStart: 32,
  keyBytes: 36,
  valueStart: 40,
  valueBytes: 44,
  headersStart: 48, // per header: name bytes (i32), value bytes (i32, -1 null), name, value
  headerCount: 52,
} as const;

/** One record to write: addresses as doubles, sizes of -1 for null. */
export const OUTGOING = {
  size: 48,
  topic: 0, // f64, the address of the topic handle
  key: 8, // f64
  value: 16, // f64
  headers: 24, // f64, the address of HEADERs; or of a block as RECORD.headersStart names it
  keyBytes: 32, // i32, as all below
  valueBytes: 36,
  headerCount: 40, // below 0: so many in a block
} as const;

/** One header to write. */
export const HEADER = {
  size: 24,
  name: 0, // f64
  value: 8, // f64
  nameBytes: 16, // i32
  valueBytes: 20, // i32, -1 for null
} as const;

/** What became of the records of one crossing: this, then an ANSWER for each record. */
export const ANSWERS = {
  size: 16,
  id: 0, // f64
  unanswered: 8, // i32
  failed: 12, // i32
} as const;

/** What became of one record. Its address is the record's opaque. */
export const ANSWER = {
  size: 24,
  offset: 0, // f64
  partition: 8, // i32, as all below
  err: 12,
  status: 16, // see PERSISTED in failures.ts
  index: 20, // its place among the ANSWERS
} as const;
