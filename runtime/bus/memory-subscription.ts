/**
 * One member of a group in memory. See memory.ts.
 */
import { CauceError } from "../ground/errors.ts";
import type {
  AssignedPartition,
  CommittedOffset,
  IncomingRecord,
  SubscribeOptions,
  Subscription,
  TopicPartition,
  Transactions,
} from "./bus.ts";
import type { MemoryBroker, MemoryMember } from "./memory-broker.ts";
import { MemoryTransactions } from "./memory-transactions.ts";

interface Position extends TopicPartition {
  next: number;
  paused: boolean;
}

export class MemorySubscription implements Subscription, MemoryMember {
  readonly #broker: MemoryBroker;
  readonly #options: SubscribeOptions;
  readonly #positions = new Map<string, Position>();
  #wake: (() => void) | null = null;
  #closed = false;
  #ready = false;

  constructor(broker: MemoryBroker, options: SubscribeOptions) {
    this.#broker = broker;
    this.#options = options;
    broker.grown.add(this.#grown);
  }

  get topics(): readonly string[] {
    return this.#options.topics;
  }

  get ready(): boolean {
    return this.#ready && !this.#closed;
  }

  async take(maxRecords: number): Promise<readonly IncomingRecord[]> {
    for (;;) {
      if (this.#closed) return [];
      const records = this.#available(maxRecords);
      if (records.length > 0) return records;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#setPaused(partition, true);
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#setPaused(partition, false);
    this.#wake?.();
  }

  async commit(offsets: readonly CommittedOffset[]): Promise<void> {
    await Promise.resolve();
    this.store(offsets, "some");
  }

  transactions(): Transactions {
    return new MemoryTransactions(this.#broker, (offsets) => this.store(offsets, "all"));
  }

  /** Commits at once, of `some` those that are ours, of `all` none unless every one is. */
  store(offsets: readonly CommittedOffset[], which: "some" | "all"): void {
    const { committed, metadata } = this.#broker.group(this.#options.group);
    const { longestMetadata } = this.#broker;
    const tooLong = offsets.find((offset) => (offset.metadata?.length ?? 0) > longestMetadata);
    if (tooLong !== undefined)
      throw new CauceError(
        "metadata_refused",
        `the metadata for ${nameOf(tooLong)} is longer than ${longestMetadata} bytes`,
      );
    const ours = offsets.filter((offset) => this.#positions.has(nameOf(offset)));
    for (const offset of which === "all" && ours.length < offsets.length ? [] : ours) {
      committed.set(nameOf(offset), offset.offset);
      metadata.set(nameOf(offset), offset.metadata ?? "");
    }
    const foreign = offsets.filter((offset) => !ours.includes(offset)).map(nameOf);
    if (foreign.length > 0) {
      throw new CauceError(
        "broker",
        `not committed, because not this member's any more: ${foreign.join(", ")}`,
      );
    }
  }

  lag(): readonly (TopicPartition & { readonly records: number })[] {
    const { committed } = this.#broker.group(this.#options.group);
    return [...this.#positions.values()].map(({ topic, partition }) => {
      const end = this.#broker.partitions(topic)?.[partition]?.length ?? 0;
      return { topic, partition, records: end - (committed.get(nameOf({ topic, partition })) ?? 0) };
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    const { members } = this.#broker.group(this.#options.group);
    const at = members.indexOf(this);
    if (at >= 0) members.splice(at, 1);
    await this.giveUpAllBut([]);
    this.#closed = true;
    this.#broker.grown.delete(this.#grown);
    this.#wake?.();
    await this.#broker.rebalance(this.#options.group);
  }

  /** First half of a rebalance: what is not in the new share is drained and given back. */
  async giveUpAllBut(share: readonly TopicPartition[]): Promise<void> {
    const kept = new Set(share.map(nameOf));
    const leaving = [...this.#positions.values()].filter((position) => !kept.has(nameOf(position)));
    if (leaving.length === 0) return;
    for (const position of leaving) position.paused = true;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, this.#options.drainMs);
    const drained = this.#options.ownership.revoked(
      leaving.map(({ topic, partition }) => ({ topic, partition })),
    );
    await Promise.race([drained, late.promise]);
    clearTimeout(timer);
    for (const position of leaving) this.#positions.delete(nameOf(position));
  }

  /** Second half: what is new in the share starts at the committed offset, or where a new group starts. */
  receive(share: readonly TopicPartition[]): void {
    if (this.#closed) return;
    const fresh = share.filter((partition) => !this.#positions.has(nameOf(partition)));
    const group = this.#broker.group(this.#options.group);
    const assigned = fresh.map(({ topic, partition }): AssignedPartition => {
      const name = nameOf({ topic, partition });
      const end = this.#broker.partitions(topic)?.[partition]?.length ?? 0;
      const committed = group.committed.get(name);
      const metadata = group.metadata.get(name) ?? "";
      const next = committed ?? (this.#options.startAt === "earliest" ? 0 : end);
      this.#positions.set(name, { topic, partition, next, paused: false });
      return {
        topic,
        partition,
        life: this.#broker.life({ topic, partition }),
        ...(committed !== undefined && { committed }),
        ...(metadata !== "" && { metadata }),
      };
    });
    this.#ready = true;
    this.#options.ownership.assigned(assigned);
    this.#wake?.();
  }

  /** Takes partitions away as a broker does that has given this member up: without asking. For tests. */
  lose(): void {
    const partitions = [...this.#positions.values()].map(({ topic, partition }) => ({ topic, partition }));
    this.#positions.clear();
    this.#ready = false;
    this.#options.ownership.lost(partitions);
  }

  /** Ends this member as `kill -9` does: without a word to its owner. For tests. */
  die(): void {
    this.#closed = true;
    this.#positions.clear();
    this.#broker.grown.delete(this.#grown);
    this.#wake?.();
  }

  readonly #grown = (): void => this.#wake?.();

  /** A partition that gave some comes last the next time. */
  #available(maxRecords: number): IncomingRecord[] {
    const records: IncomingRecord[] = [];
    const inTurn = [...this.#positions];
    for (const [name, position] of inTurn) {
      if (position.paused) continue;
      const log = this.#broker.partitions(position.topic)?.[position.partition] ?? [];
      const more = log.slice(position.next, position.next + maxRecords - records.length);
      if (more.length === 0) continue;
      position.next += more.length;
      records.push(...more);
      this.#positions.delete(name);
      this.#positions.set(name, position);
      if (records.length >= maxRecords) break;
    }
    return records;
  }

  #setPaused(partition: TopicPartition, paused: boolean): void {
    const position = this.#positions.get(nameOf(partition));
    if (position !== undefined) position.paused = paused;
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
