/**
 * A broker in memory: topics, groups, offsets. See memory.ts.
 */
import { bodyBytesOf } from "../ground/body-bytes.ts";
import { CauceError } from "../ground/errors.ts";
import type { IncomingRecord, OutgoingRecord, RecordPosition, TopicPartition } from "./bus.ts";
import { partitionOf } from "./murmur2.ts";

/** As Kafka's `message.max.bytes`. */
const LARGEST_RECORD_BYTES = 1_048_588;

/** What a broker asks of a member of a group. */
export interface MemoryMember {
  readonly topics: readonly string[];
  /** First half of a rebalance: resolves when what is not in its new share is given back. */
  giveUpAllBut(share: readonly TopicPartition[]): Promise<void>;
  /** Second half: it takes what is new in its share. */
  receive(share: readonly TopicPartition[]): void;
  /** Ends as `kill -9` does. */
  die(): void;
  /** Loses all that it has, without being asked. */
  lose(): void;
}

/** What the members of one group share. */
export interface MemoryGroup {
  readonly committed: Map<string, number>;
  /** What was committed beside the offsets. */
  readonly metadata: Map<string, string>;
  readonly members: MemoryMember[];
  /** Rebalances run one after the other. */
  rebalancing: Promise<void>;
}

/** A broker in memory. Several buses may share one, as several processes share a broker. */
export class MemoryBroker {
  readonly #topics = new Map<string, IncomingRecord[][]>();
  readonly #groups = new Map<string, MemoryGroup>();
  /** How often a topic was made, and how often each partition was cut off. */
  readonly #lives = new Map<string, { readonly made: number; readonly cuts: number[] }>();
  #keyless = 0;
  /** As Kafka's `offset.metadata.max.bytes`. */
  longestMetadata = 4_096;
  /** Called by the log of a partition whenever it grows. */
  readonly grown = new Set<() => void>();

  /** Makes a missing topic. */
  ensure(name: string, partitions: number): "created" | "present" {
    if (this.#topics.has(name)) return "present";
    this.#topics.set(
      name,
      Array.from({ length: partitions }, () => []),
    );
    const made = (this.#lives.get(name)?.made ?? 0) + 1;
    this.#lives.set(name, { made, cuts: Array.from({ length: partitions }, () => 0) });
    return "created";
  }

  /** Deletes a topic; its groups keep what they have committed, as may happen on a real broker. For tests. */
  remove(name: string): void {
    this.#topics.delete(name);
  }

  /** Cuts the end of a partition off, as a new leader may that never had it. For tests. */
  truncate({ topic, partition, length }: TopicPartition & { readonly length: number }): void {
    this.#topics.get(topic)?.[partition]?.splice(length);
    const life = this.#lives.get(topic);
    if (life !== undefined) life.cuts[partition] = (life.cuts[partition] ?? 0) + 1;
  }

  /** See `AssignedPartition.life`. */
  life({ topic, partition }: TopicPartition): string {
    const life = this.#lives.get(topic);
    return `${life?.made ?? 0}/${life?.cuts[partition] ?? 0}`;
  }

  /** The partitions of a topic, each with its records in order; undefined for a topic that does not exist. */
  partitions(name: string): readonly (readonly IncomingRecord[])[] | undefined {
    return this.#topics.get(name);
  }

  /** Everything on a topic, in order of partition and offset. For assertions in tests. */
  records(name: string): readonly IncomingRecord[] {
    return (this.#topics.get(name) ?? []).flat();
  }

  /** Set in tests to make the next transactions fail; `rehearsed` ones are asked too. */
  failTransaction: (() => CauceError | null) | null = null;

  /** @throws CauceError for a record that no topic takes. */
  check(record: OutgoingRecord): IncomingRecord[][] {
    const topic = this.#topics.get(record.topic);
    if (topic === undefined) throw new CauceError("broker", `topic ${record.topic} does not exist`);
    const bytes = bodyBytesOf(record);
    if (bytes > LARGEST_RECORD_BYTES) {
      throw new CauceError(
        "record_too_large",
        `a record for ${record.topic} has ${bytes} bytes, more than ${LARGEST_RECORD_BYTES}`,
      );
    }
    return topic;
  }

  append(record: OutgoingRecord, timestampMs: number): RecordPosition {
    const topic = this.check(record);
    const partition =
      record.key === null ? this.#keyless++ % topic.length : partitionOf(record.key, topic.length);
    const log = topic[partition] ?? [];
    const offset = log.length;
    const { topic: name, key, value, headers } = record; // a record of a batch has getters, which a spread would lose
    log.push({ topic: name, key, value, headers, partition, offset, timestampMs });
    for (const call of this.grown) call();
    return { topic: record.topic, partition, offset };
  }

  group(name: string): MemoryGroup {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { committed: new Map(), metadata: new Map(), members: [], rebalancing: Promise.resolve() };
      this.#groups.set(name, group);
    }
    return group;
  }

  /** What a group has committed, by "topic/partition". For assertions in tests. */
  committed(group: string): ReadonlyMap<string, number> {
    return this.group(group).committed;
  }

  /** Ends all members of a group as `kill -9` does: nobody is asked, and nothing of theirs is committed any more. */
  kill(name: string): void {
    for (const member of this.group(name).members.splice(0)) member.die();
  }

  /** Deals all partitions of the members' topics out anew, and tells each member what changed. */
  rebalance(name: string): Promise<void> {
    const group = this.group(name);
    group.rebalancing = group.rebalancing.then(async () => {
      const shares = new Map<MemoryMember, TopicPartition[]>();
      for (const member of group.members) shares.set(member, []);
      const topics = new Set(group.members.flatMap((member) => [...member.topics]));
      for (const topic of topics) {
        const readers = group.members.filter((member) => member.topics.includes(topic));
        const count = this.#topics.get(topic)?.length ?? 0;
        for (let partition = 0; partition < count; partition++) {
          const reader = readers[partition % readers.length];
          if (reader !== undefined) shares.get(reader)?.push({ topic, partition });
        }
      }
      await Promise.all([...shares].map(([member, share]) => member.giveUpAllBut(share)));
      for (const [member, share] of shares) member.receive(share);
    });
    return group.rebalancing;
  }
}
