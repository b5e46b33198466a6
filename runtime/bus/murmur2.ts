/**
 * Kafka's own partitioner hash, so that the memory form agrees with Java, Flink and the console tools.
 * Source of the rule: `Utils.murmur2` of Apache Kafka (seed 0x9747b28c, m 0x5bd1e995, r 24).
 */

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** The partition of a key among `partitions`. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/** The hash as a signed 32-bit number, as Java has it. */
export function murmur2(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { length } = bytes;
  let hash = SEED ^ length;
  const words = length >>> 2;
  for (let word = 0; word < words; word++) {
    let mixed = Math.imul(view.getInt32(word * 4, true), M);
    mixed = Math.imul(mixed ^ (mixed >>> 24), M);
    hash = Math.imul(hash, M) ^ mixed;
  }
  const tail = words * 4;
  if (length > tail) {
    for (let at = length - 1; at >= tail; at--) hash ^= view.getUint8(at) << (8 * (at - tail));
    hash = Math.imul(hash, M);
  }
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}
