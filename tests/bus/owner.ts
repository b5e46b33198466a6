/**
 * An owner of partitions for tests: writes down what a subscription tells it, and lets a test wait for that.
 */
import type {
  AssignedPartition,
  Bus,
  BusTrouble,
  IncomingRecord,
  Ownership,
  SubscribeOptions,
  Subscription,
  TopicPartition,
} from "../../runtime/bus/bus.ts";

export class Owner implements Ownership {
  readonly owned = new Map<string, AssignedPartition>();
  readonly revocations: (readonly TopicPartition[])[] = [];
  readonly losses: (readonly TopicPartition[])[] = [];
  readonly troubles: BusTrouble[] = [];
  assignments = 0;
  /** What `revoked` waits for; at once by default. */
  drain: (partitions: readonly TopicPartition[]) => Promise<void> = () => Promise.resolve();
  readonly #waiting = new Set<() => void>();

  assigned(partitions: readonly AssignedPartition[]): void {
    this.assignments++;
    for (const partition of partitions) this.owned.set(nameOf(partition), partition);
    this.#changed();
  }

  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    this.revocations.push(partitions);
    this.#changed();
    await this.drain(partitions);
    for (const partition of partitions) this.owned.delete(nameOf(partition));
    this.#changed();
  }

  lost(partitions: readonly TopicPartition[]): void {
    this.losses.push(partitions);
    for (const partition of partitions) this.owned.delete(nameOf(partition));
    this.#changed();
  }

  troubled(trouble: BusTrouble): void {
    this.troubles.push(trouble);
    this.#changed();
  }

  /** Resolves when `holds` is true after something that the subscription told. */
  until(holds: (owner: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!holds(this)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  #changed(): void {
    for (const look of this.#waiting) look();
  }
}

export interface Member {
  readonly owner: Owner;
  readonly subscription: Subscription;
}

/** Joins a group with an owner of its own, and waits until it was told what is its. */
export async function join(
  bus: Bus,
  options: Pick<SubscribeOptions, "group" | "topics"> & Partial<SubscribeOptions>,
): Promise<Member> {
  const owner = new Owner();
  const subscription = await bus.subscribe({
    startAt: "earliest",
    drainMs: 10_000,
    ownership: owner,
    ...options,
  });
  await owner.until(({ assignments }) => assignments > 0);
  return { owner, subscription };
}

/** Takes until `count` records came. */
export async function takeCount(subscription: Subscription, count: number): Promise<IncomingRecord[]> {
  const records: IncomingRecord[] = [];
  while (records.length < count) {
    const more = await subscription.take(count - records.length);
    if (more.length === 0) throw new Error(`closed after ${records.length} of ${count} records`);
    records.push(...more);
  }
  return records;
}

/** The offsets to commit after these records. */
export function after(records: readonly IncomingRecord[]) {
  const next = new Map<string, TopicPartition & { offset: number }>();
  for (const { topic, partition, offset } of records) {
    const name = nameOf({ topic, partition });
    next.set(name, { topic, partition, offset: Math.max(offset + 1, next.get(name)?.offset ?? 0) });
  }
  return [...next.values()];
}

export function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (value: Uint8Array | null): string | null =>
  value ? new TextDecoder().decode(value) : null;
