/**
 * A subscription of the Kafka bus: one member of the group per topic, read in turn.
 *
 * Members of their own, because an assignor deals all partitions that a member subscribes to as one heap: of two processes one
 * could get every partition of a handler's topic, and the other those of its retry topic (docs/decisions/0019).
 * In: what opens a member. Out: a `Subscription`. Never here: anything that a consumer does not do itself.
 */
import { CauceError } from "../ground/errors.ts";
import type { Consumer, ConsumerOptions, TransactionalProducer } from "../kafka/index.ts";
import type {
  BusTrouble,
  CommittedOffset,
  IncomingRecord,
  SubscribeOptions,
  Subscription,
  TopicPartition,
} from "./bus.ts";
import { KafkaTransactions, type KafkaTransactionsOptions } from "./kafka-transactions.ts";

/** Kafka's default for `offset.metadata.max.bytes`. */
const LONGEST_METADATA = 4_096;

/** What a member is opened with; `nth` counts the members of one subscription from 0. */
export type MemberOptions = { readonly nth: number } & Pick<
  ConsumerOptions,
  "group" | "topics" | "startAt" | "drainMs" | "assigned" | "revoked" | "lost" | "troubled" | "arrived"
>;

export interface KafkaSubscriptionOptions extends SubscribeOptions {
  readonly openMember: (options: MemberOptions) => Promise<Consumer>;
  readonly openProducer: (
    id: string,
    how: { readonly batchBytes?: number },
  ) => Promise<TransactionalProducer>;
  readonly committed: KafkaTransactionsOptions["committed"];
  readonly offsetsApart: boolean;
  /** Told whenever a member was assigned partitions. */
  readonly joined: () => void;
  readonly forget: () => void;
}

interface Member {
  readonly topic: string;
  readonly consumer: Consumer;
}

export class KafkaSubscription implements Subscription {
  readonly #options: KafkaSubscriptionOptions;
  #members: readonly Member[] = [];
  /** Members that reach no broker. */
  readonly #away = new Set<string>();
  #turn = 0;
  #arrival: PromiseWithResolvers<void> | null = null;
  #transactions: KafkaTransactions | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: KafkaSubscriptionOptions) {
    this.#options = options;
  }

  /** Resolves once every member stands; assignments follow. */
  async open(): Promise<void> {
    const opened = await Promise.allSettled(
      this.#options.topics.map(async (topic, nth) => ({
        topic,
        consumer: await this.#openMember(topic, nth),
      })),
    );
    this.#members = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const failed = opened.find((one) => one.status === "rejected");
    if (failed === undefined) return;
    await this.close();
    throw failed.reason;
  }

  transactions(id: string): KafkaTransactions {
    return (this.#transactions = new KafkaTransactions({
      open: (how) => this.#options.openProducer(id, how),
      byMember: (offsets) => this.#byMember(offsets),
      committed: (partitions) => this.#options.committed(partitions),
      after: this.#options.offsetsApart ? (offsets) => this.commit(offsets) : () => Promise.resolve(),
    }));
  }

  get ready(): boolean {
    return this.#members.every(({ consumer }) => consumer.ready);
  }

  async take(maxRecords: number): Promise<readonly IncomingRecord[]> {
    if (this.#arrival !== null) throw new CauceError("defect", "take() was called while another call waits");
    while (this.#closing === null) {
      const records = this.#takeNow(maxRecords);
      if (records.length > 0) return records;
      this.#arrival = Promise.withResolvers();
      await this.#arrival.promise;
    }
    return [];
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const { topic, consumer } of this.#members) consumer.pause(ofTopic(partitions, topic));
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const { topic, consumer } of this.#members) consumer.resume(ofTopic(partitions, topic));
  }

  /** What a broker with Kafka's default refuses is refused here: the mock cluster takes anything. */
  async commit(offsets: readonly CommittedOffset[]): Promise<void> {
    const tooLong = offsets.find(({ metadata = "" }) => Buffer.byteLength(metadata) > LONGEST_METADATA);
    if (tooLong !== undefined) {
      const where = `${tooLong.topic} ${tooLong.partition}`;
      throw new CauceError(
        "metadata_refused",
        `the metadata for ${where} is longer than ${LONGEST_METADATA} bytes`,
      );
    }
    const commits = this.#members.map(async ({ topic, consumer }) => {
      const its = ofTopic(offsets, topic);
      if (its.length > 0) await consumer.commit(its);
    });
    const refused = (await Promise.allSettled(commits)).find((one) => one.status === "rejected");
    if (refused !== undefined) throw refused.reason;
  }

  lag() {
    return this.#members.flatMap(({ consumer }) => consumer.lag());
  }

  close(leaveMs?: number): Promise<void> {
    return (this.#closing ??= this.#close(leaveMs));
  }

  async #close(leaveMs?: number): Promise<void> {
    this.#wake();
    await Promise.all(this.#members.map(({ consumer }) => consumer.close(leaveMs)));
    this.#options.forget();
  }

  #openMember(topic: string, nth: number): Promise<Consumer> {
    const { group, startAt, drainMs, ownership, joined, openMember } = this.#options;
    return openMember({
      nth,
      group,
      topics: [topic],
      startAt,
      drainMs,
      assigned: (partitions) => {
        joined();
        ownership.assigned(partitions);
      },
      revoked: async (partitions) => {
        await ownership.revoked(partitions);
        this.#transactions?.left(partitions);
      },
      lost: (partitions) => {
        this.#transactions?.left(partitions);
        ownership.lost(partitions);
      },
      troubled: (trouble) => this.#troubled(topic, trouble),
      arrived: () => this.#wake(),
    });
  }

  /** From the member whose turn it is, or from the next that has some: a backlog of one topic starves no other. */
  #takeNow(most: number): readonly IncomingRecord[] {
    const { length } = this.#members;
    for (let asked = 0; asked < length; asked++) {
      const records = this.#members[this.#turn++ % length]?.consumer.takeNow(most) ?? [];
      if (records.length > 0) return records;
    }
    return [];
  }

  #wake(): void {
    this.#arrival?.resolve();
    this.#arrival = null;
  }

  /** Each member answers for its own offsets: one that lost its place must not be covered by another that kept it. */
  #byMember(offsets: readonly CommittedOffset[]) {
    return this.#members.flatMap(({ topic, consumer }) => {
      const its = ofTopic(offsets, topic);
      return its.length === 0 ? [] : [{ offsets: its, group: consumer.groupMetadata() }];
    });
  }

  /** All members talk to the same brokers: that they are away, or back, is said once. */
  #troubled(topic: string, trouble: BusTrouble): void {
    const before = this.#away.size;
    if (trouble.kind === "broker_away") this.#away.add(topic);
    else if (trouble.kind === "broker_back") this.#away.delete(topic);
    else return this.#options.ownership.troubled(trouble);
    if (before === 0 || this.#away.size === 0) this.#options.ownership.troubled(trouble);
  }
}

function ofTopic<Of extends TopicPartition>(some: readonly Of[], topic: string): readonly Of[] {
  return some.filter((one) => one.topic === topic);
}
