/**
 * The bus in memory, for tests and for users' own tests: topics, groups, rebalances and commits without a broker.
 *
 * In and out as bus.ts says; passes the same contract suite as the real form. Never here: durability, networks, delays.
 */
import { CauceError } from "../ground/errors.ts";
import type {
  Backlog,
  Bus,
  GroupTopics,
  OutgoingRecord,
  RecordPosition,
  SubscribeOptions,
  Subscription,
  TopicPlan,
  TopicReport,
} from "./bus.ts";
import { MemoryBroker } from "./memory-broker.ts";
import { MemorySubscription } from "./memory-subscription.ts";

export interface MemoryBusOptions {
  /** Default: a broker of its own. */
  readonly broker?: MemoryBroker;
  /** Stamp of new records in ms since 1970. */
  readonly nowMs?: () => number;
}

/** A bus over a broker in memory. */
export class MemoryBus implements Bus {
  readonly description = "in memory (for tests)";
  readonly broker: MemoryBroker;
  readonly #nowMs: () => number;
  readonly #subscriptions = new Set<Subscription>();
  #closed = false;
  /** Set in tests to make the next publishes fail. */
  failPublish: (() => CauceError | null) | null = null;

  constructor(options: MemoryBusOptions = {}) {
    this.broker = options.broker ?? new MemoryBroker();
    this.#nowMs = options.nowMs ?? Date.now;
  }

  get connected(): boolean {
    return !this.#closed;
  }

  ensureTopics(plans: readonly TopicPlan[]): Promise<readonly TopicReport[]> {
    return Promise.resolve(
      plans.map(({ name, partitions, provision }): TopicReport => {
        const present = this.broker.partitions(name);
        if (present !== undefined) return { name, state: "present", partitions: present.length };
        if (provision === "create") return { name, state: this.broker.ensure(name, partitions), partitions };
        if (provision === "none") return { name, state: "unchecked" };
        return { name, state: "missing", detail: "it does not exist, and its plan says to verify only" };
      }),
    );
  }

  async publish(records: readonly OutgoingRecord[]): Promise<readonly RecordPosition[]> {
    if (this.#closed) throw new CauceError("closed", "the bus is closed");
    const failure = this.failPublish?.();
    if (failure) throw failure;
    const positions = records.map((record) => this.broker.append(record, this.#nowMs()));
    await Promise.resolve();
    return positions;
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    if (this.#closed) throw new CauceError("closed", "the bus is closed");
    const subscription = new MemorySubscription(this.broker, options);
    this.#subscriptions.add(subscription);
    this.broker.group(options.group).members.push(subscription);
    await this.broker.rebalance(options.group);
    return subscription;
  }

  async backlog(groups: readonly GroupTopics[]): Promise<readonly Backlog[]> {
    await Promise.resolve();
    return groups.flatMap(({ group, topics }) =>
      topics.flatMap((topic) =>
        (this.broker.partitions(topic) ?? []).map((log, partition) => {
          const committed = this.broker.committed(group).get(`${topic}/${partition}`) ?? 0;
          return { group, topic, partition, records: log.length - committed, committed };
        }),
      ),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
  }
}
