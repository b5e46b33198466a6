/**
 * Transactions of a Kafka subscription: one transactional producer after the other, under one id.
 *
 * In: records and offsets. Out: both are there, or certainly neither. A producer that is spent is replaced under the same id, which
 * fences it and ends what it left open; then the group's committed offsets tell how a transaction ended of which nobody knew.
 * Never here: which offsets may be committed with which records.
 */
import { pause, systemClock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import { failpoint } from "../ground/failpoint.ts";
import {
  ERROR,
  type GroupMetadata,
  RefusedTogether,
  TransactionError,
  type TransactionalProducer,
} from "../kafka/index.ts";
import type { CommittedOffset, OutgoingRecord, TopicPartition, Transactions } from "./bus.ts";

export interface KafkaTransactionsOptions {
  readonly open: () => Promise<TransactionalProducer>;
  readonly groupMetadata: () => GroupMetadata;
  /** The group's committed offsets, once no transaction on them is pending. */
  readonly committed: (
    partitions: readonly TopicPartition[],
  ) => Promise<readonly { readonly offset?: number | undefined; readonly metadata?: string | undefined }[]>;
  /** Called once a transaction is committed. */
  readonly after: (offsets: readonly CommittedOffset[]) => Promise<void>;
}

export class KafkaTransactions implements Transactions {
  readonly #options: KafkaTransactionsOptions;
  readonly #end = new AbortController();
  /** Partitions that left this member since the last commit began: their offsets say nothing of it. */
  readonly #left = new Set<string>();
  #producer: TransactionalProducer | null = null;
  /** A broker refused records for the size of their batch: from then on they go one by one. */
  #apart = false;

  constructor(options: KafkaTransactionsOptions) {
    this.#options = options;
  }

  /** These partitions were revoked or lost. */
  left(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#left.add(nameOf(partition));
  }

  async commit(records: readonly OutgoingRecord[], offsets: readonly CommittedOffset[]): Promise<void> {
    // In the turn in which the owner chose them: a generation in which they are another's refuses them.
    const group = this.#options.groupMetadata();
    this.#left.clear();
    const producer = await this.#usable();
    failpoint("transaction.before");
    await this.#within(producer, async () => {
      await this.#write(producer, records);
      failpoint("transaction.published");
      await producer.sendOffsets(offsets, group);
      failpoint("transaction.offsets_sent");
    });
    try {
      await producer.commit();
    } catch (error) {
      if (error instanceof TransactionError && error.remedy === "abort")
        await this.#takeBack(producer, error);
      else if (!(await this.#arrived(offsets))) throw takenBack(error);
    }
    await this.#options.after(offsets);
    failpoint("transaction.committed");
  }

  async rehearse(records: readonly OutgoingRecord[]): Promise<void> {
    const producer = await this.#usable();
    await this.#within(producer, () => this.#write(producer, records));
    await producer.abort();
  }

  async close(withinMs: number): Promise<void> {
    this.#end.abort();
    await this.#producer?.close(withinMs);
  }

  async #within(producer: TransactionalProducer, work: () => Promise<unknown>): Promise<void> {
    await producer.begin();
    try {
      await work();
    } catch (error) {
      await this.#takeBack(producer, error);
    }
  }

  /** One that is refused must be the last: librdkafka keeps what waits behind it until the transaction's time is over. */
  async #write(producer: TransactionalProducer, records: readonly OutgoingRecord[]): Promise<void> {
    if (!this.#apart) await producer.produce(records);
    else for (const record of records) await producer.produce([record]);
  }

  /** @throws why it was taken back, always */
  async #takeBack(producer: TransactionalProducer, error: unknown): Promise<never> {
    // A producer that cannot abort is spent: the next under its id ends what it left open.
    await producer.abort().catch(() => undefined);
    if (error instanceof RefusedTogether) {
      // After a refusal by the broker librdkafka starts over, and purges what the next transaction writes meanwhile.
      this.#producer = null;
      await producer.close(BEHIND_MS);
      if (!this.#apart) {
        this.#apart = true;
        throw takenBack(error);
      }
    }
    if (error instanceof CauceError && error.code === "record_too_large") throw error;
    throw takenBack(error);
  }

  async #usable(): Promise<TransactionalProducer> {
    this.#refuseClosed();
    if (this.#producer !== null && this.#producer.spent === undefined) return this.#producer;
    const before = this.#producer;
    this.#producer = null;
    await before?.close(BEHIND_MS);
    const producer = await this.#options.open();
    try {
      await producer.init();
      this.#refuseClosed();
    } catch (error) {
      await producer.close(BEHIND_MS);
      throw error;
    }
    return (this.#producer = producer);
  }

  /** Was it committed after all? Asked once a new producer has ended the old one's transaction. */
  async #arrived(offsets: readonly CommittedOffset[]): Promise<boolean> {
    for (;;) {
      this.#refuseClosed();
      const [kept] = offsets.filter((offset) => !this.#left.has(nameOf(offset)));
      if (kept === undefined) return true; // nobody here repeats anything of it
      try {
        await this.#usable();
        const [found] = await this.#options.committed([kept]);
        if (this.#left.has(nameOf(kept))) continue;
        return found?.offset === kept.offset && (found.metadata ?? "") === (kept.metadata ?? "");
      } catch (error) {
        if (!(error instanceof CauceError)) throw error;
        await pause(systemClock, AGAIN_MS, this.#end.signal);
      }
    }
  }

  #refuseClosed(): void {
    if (this.#end.signal.aborted) throw new CauceError("closed", "the transactions were closed");
  }
}

/** How long the end of a producer that is replaced is waited for: the next one under its id fences it, whatever it still does. */
const BEHIND_MS = 2_000;
/** How soon the end of a transaction is asked for again. */
const AGAIN_MS = 250;

/** Only a text beside an offset that is too long for the broker stays refused, whoever asks again. */
function takenBack(error: unknown): CauceError {
  const retryable = !(error instanceof TransactionError && error.err === ERROR.offsetMetadataTooLarge);
  const why = error instanceof Error ? error.message : String(error);
  return new CauceError("broker", `the transaction was taken back: ${why}`, { retryable, cause: error });
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
