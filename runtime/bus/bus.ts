/**
 * The bus: what the engine needs of Kafka, and nothing more.
 *
 * In: records to publish, topics to read. Out: acknowledged positions, records in order, changes of ownership.
 * Two real forms stand behind it: `kafka.ts` (librdkafka) and `memory.ts` (for tests); both pass one contract suite.
 * Never here: envelopes, schemas, retries. The bus moves bytes.
 */

/** Header names with their bytes, in order; a name may repeat, a value may be null. */
export type RecordHeaders = readonly (readonly [name: string, value: Uint8Array | null])[];

export interface OutgoingRecord {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: RecordHeaders;
}

/**
 * What a record tells of itself in UTF-8 without a view of its bytes, which would cost more than the text. Damaged bytes become
 * U+FFFD and a byte order mark at the start is left out, as `TextDecoder` has it.
 */
export interface RecordTexts {
  keyText(): string | null;
  valueText(): string | null;
  /** The last value of each of these headers, in the order of `names`; undefined where it is missing or null. */
  headerTexts(names: readonly string[]): readonly (string | undefined)[];
  /** Bytes of key and value together. */
  readonly bodyBytes: number;
}

/** A form of the bus that can tell texts for less does; whoever reads records must do without. */
export interface IncomingRecord extends OutgoingRecord, Partial<RecordTexts> {
  /**
   * Says that nobody reads it any more, once: where this holds of all that came with it, and none of them was ever looked at as bytes,
   * their memory is used again and a later look throws. A record of which it is not said costs a collection, and nothing else.
   */
  letGo?(): void;
  readonly partition: number;
  /** Offset in the partition; always a safe integer (a larger one is refused by the binding). */
  readonly offset: number;
  /** The broker's or producer's stamp in ms since 1970, or -1 where the record has none. */
  readonly timestampMs: number;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Where an acknowledged record lies. */
export interface RecordPosition extends TopicPartition {
  /** -1 where the broker has the record and did not say where: it recognised a repeat of one that it had. */
  readonly offset: number;
}

/** Where acknowledged records lie, in the order in which they were given; an array is one. */
export interface Positions extends Iterable<RecordPosition> {
  readonly length: number;
  at(index: number): RecordPosition | undefined;
}

export interface CommittedOffset extends TopicPartition {
  /** The next offset to read. */
  readonly offset: number;
  /** A text that is kept beside the offset, at most 4,096 bytes. Default: none. */
  readonly metadata?: string;
}

/** A partition that became ours, and what its group knows of it. */
export interface AssignedPartition extends TopicPartition {
  /** The next offset to read, as the group has committed it; undefined where it has not. */
  readonly committed?: number | undefined;
  /** The text beside the committed offset, whoever wrote it; undefined where there is none. */
  readonly metadata?: string | undefined;
  /**
   * Names the log that this partition's offsets count: another text once the topic was made anew, or another leader may have
   * cut the log off. Undefined where the bus cannot tell.
   */
  readonly life?: string | undefined;
}

export interface TopicPlan {
  readonly name: string;
  readonly partitions: number;
  /** `create` makes a missing topic, `verify` reports a missing one as an error, `none` looks at nothing. */
  readonly provision: "create" | "verify" | "none";
  /** Topic settings for creation, such as `retention.ms`. */
  readonly config?: Readonly<Record<string, string>>;
}

export interface TopicReport {
  readonly name: string;
  readonly state: "created" | "present" | "missing" | "refused" | "unchecked";
  /** Partitions found on the broker, where known. Different counts are reported and never altered. */
  readonly partitions?: number;
  /** Why a topic is missing or refused. */
  readonly detail?: string;
}

/** What a subscription tells its owner about partitions. Called one at a time, never re-entrantly. */
export interface Ownership {
  /** These partitions are ours now; records of them may follow. */
  assigned(partitions: readonly AssignedPartition[]): void;
  /**
   * These partitions go to someone else. The promise is the drain: the bus waits for it (up to the subscription's
   * `drainMs`), and commits made before it resolves still count. After it nothing of them may be committed.
   */
  revoked(partitions: readonly TopicPartition[]): Promise<void>;
  /** These partitions are someone else's already: abort work, commit nothing. */
  lost(partitions: readonly TopicPartition[]): void;
  /** A condition worth a line in the log and a metric: broker away, offset out of range, … */
  troubled(trouble: BusTrouble): void;
}

export interface BusTrouble {
  readonly kind: "broker_away" | "broker_back" | "offset_out_of_range" | "topic_missing" | "other";
  readonly message: string;
  readonly partition?: TopicPartition;
}

export interface SubscribeOptions {
  readonly group: string;
  readonly topics: readonly string[];
  /** Where a group without a committed offset starts. A group that has one never jumps. */
  readonly startAt: "earliest" | "latest";
  /** How long `revoked` may take before the partitions are given back regardless, in ms. */
  readonly drainMs: number;
  readonly ownership: Ownership;
}

export interface Subscription {
  /**
   * The next records, at most `maxRecords`, in order per partition. Waits until there is at least one.
   * Resolves to an empty list once the subscription is closed. One call at a time.
   * Nothing is fetched ahead without bound: not calling is the back pressure of the whole subscription.
   */
  take(maxRecords: number): Promise<readonly IncomingRecord[]>;
  /** Stops delivery of these partitions; what was taken already stays the caller's. */
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** Commits and resolves when the broker has acknowledged. Rejects with `CauceError` (`broker`). */
  commit(offsets: readonly CommittedOffset[]): Promise<void>;
  /** Records between the group's position and the end, by partition of this member; -1 where unknown. */
  lag(): readonly (TopicPartition & { readonly records: number })[];
  /** True once partitions were assigned (an empty assignment counts) and until the connection is lost. */
  readonly ready: boolean;
  /**
   * Transactions that take this subscription's offsets. At most one at a time for a subscription; the owner closes them first.
   * `id` names their writer: unique among all that live, in every process.
   */
  transactions(id: string): Transactions;
  /**
   * Leaves the group. The owner has drained and committed before. Waits at most `leaveMs` (default 5 s; 0 for a broker that is gone) for a
   * rebalance in the middle of which the group would not hear of it. Idempotent.
   */
  close(leaveMs?: number): Promise<void>;
}

/** Records and offsets of a subscription that are there together or not at all, for whoever reads only what is committed. */
export interface Transactions {
  /**
   * Writes records and commits offsets, at least one of them. Resolves once both are there; rejects only when it is certain that
   * neither is: `record_too_large`, `broker` (see `retryable`) or `closed`. Where the end is not known it is found out, which
   * may take as long as the broker is away. One call at a time. The offsets must be of partitions that are the caller's now.
   */
  commit(records: readonly OutgoingRecord[], offsets: readonly CommittedOffset[]): Promise<void>;
  /** Writes records and takes them back: rejects as `commit` would for their sake. */
  rehearse(records: readonly OutgoingRecord[]): Promise<void>;
  /**
   * Takes back what is open, as far as `withinMs` allows: with 0, or where no broker answers, the broker does it, after the
   * transaction's timeout. A commit of which the end is not known by then rejects as `closed`. Idempotent.
   */
  close(withinMs: number): Promise<void>;
}

/** A group and topics that it reads. */
export interface GroupTopics {
  readonly group: string;
  readonly topics: readonly string[];
}

/** What one group has not committed of one partition, over all its members. */
export interface Backlog extends TopicPartition {
  readonly group: string;
  readonly records: number;
  /** The offset up to which the group has committed; the partition's first one where it has not. */
  readonly committed: number;
}

export interface Bus {
  /** For people and logs: what this bus is, without secrets. */
  readonly description: string;
  /** Is a broker connected right now? */
  readonly connected: boolean;
  ensureTopics(plans: readonly TopicPlan[]): Promise<readonly TopicReport[]>;
  /**
   * Publishes all and resolves, in the order given, when every record is acknowledged by all in-sync replicas.
   * Waits while the producer is full. Rejects with the first failure: `record_too_large`, `possibly_persisted`,
   * `producer_fatal`, `broker` (see `retryable`) or `closed`; the others may have been written.
   */
  publish(records: readonly OutgoingRecord[]): Promise<Positions>;
  subscribe(options: SubscribeOptions): Promise<Subscription>;
  /**
   * End of each partition minus the group's committed offset (its beginning, where nothing is committed), asked of the
   * broker without joining the group. Rejects with `CauceError` (`broker`) when it does not answer.
   */
  backlog(groups: readonly GroupTopics[]): Promise<readonly Backlog[]>;
  /**
   * Flushes for at most `flushMs` (default 10 s; 0 for a broker that is gone) and closes everything that this bus opened.
   * Idempotent.
   */
  close(flushMs?: number): Promise<void>;
}
