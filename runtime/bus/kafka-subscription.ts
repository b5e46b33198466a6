/**
 * A subscription of the Kafka bus: the consumer, seen through the bus interface.
 *
 * In: a consumer. Out: a `Subscription`. Never here: anything that the consumer does not do itself.
 */
import { CauceError } from "../ground/errors.ts";
import type { Consumer, TransactionalProducer } from "../kafka/index.ts";
import type { CommittedOffset, IncomingRecord, Subscription, TopicPartition } from "./bus.ts";
import { KafkaTransactions, type KafkaTransactionsOptions } from "./kafka-transactions.ts";

/** Kafka's default for `offset.metadata.max.bytes`. */
const LONGEST_METADATA = 4_096;

export interface KafkaSubscriptionOptions {
  readonly openProducer: (
    id: string,
    how: { readonly batchBytes?: number },
  ) => Promise<TransactionalProducer>;
  readonly committed: KafkaTransactionsOptions["committed"];
  readonly offsetsApart: boolean;
  readonly forget: () => void;
}

export class KafkaSubscription implements Subscription {
  readonly #consumer: Consumer;
  readonly #options: KafkaSubscriptionOptions;
  #transactions: KafkaTransactions | null = null;

  constructor(consumer: Consumer, options: KafkaSubscriptionOptions) {
    this.#consumer = consumer;
    this.#options = options;
  }

  /** These partitions were revoked or lost. */
  left(partitions: readonly TopicPartition[]): void {
    this.#transactions?.left(partitions);
  }

  transactions(id: string): KafkaTransactions {
    return (this.#transactions = new KafkaTransactions({
      open: (how) => this.#options.openProducer(id, how),
      groupMetadata: () => this.#consumer.groupMetadata(),
      committed: (partitions) => this.#options.committed(partitions),
      after: this.#options.offsetsApart ? (offsets) => this.commit(offsets) : () => Promise.resolve(),
    }));
  }

  get ready(): boolean {
    return this.#consumer.ready;
  }

  take(maxRecords: number): Promise<readonly IncomingRecord[]> {
    return this.#consumer.take(maxRecords);
  }

  pause(partitions: Parameters<Subscription["pause"]>[0]): void {
    this.#consumer.pause(partitions);
  }

  resume(partitions: Parameters<Subscription["resume"]>[0]): void {
    this.#consumer.resume(partitions);
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
    await this.#consumer.commit(offsets);
  }

  lag() {
    return this.#consumer.lag();
  }

  async close(): Promise<void> {
    await this.#consumer.close();
    this.#options.forget();
  }
}
