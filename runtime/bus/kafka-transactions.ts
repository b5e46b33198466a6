/**
 * Transactions of a Kafka subscription: one transactional producer after the other, under one id.
 *
 * In: records and offsets. Out: both are there, or certainly neither. A producer that is spent is replaced under the same id, which
 * fences it and ends what it left open; then the group's committed offsets tell how a transaction ended of which nobody knew.
 * Never here: which offsets may be committed with which records.
 */
import { type Clock, pause, systemClock } from "../ground/clock.ts";
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

/** What is asked of a producer. */
export type TransactionWriter = Pick<
  TransactionalProducer,
  "spent" | "init" | "begin" | "produce" | "sendOffsets" | "commit" | "abort" | "close"
>;

export interface KafkaTransactionsOptions {
  /** `batchBytes`: the largest batch, where it is not librdkafka's own choice; 1 is a record each. */
  readonly open: (how: { readonly batchBytes?: number }) => Promise<TransactionWriter>;
  /** The offsets, split by the members of this process that they belong to, each with who it is now. */
  readonly byMember: (offsets: readonly CommittedOffset[]) => readonly MemberOffsets[];
  /** The group's committed offsets, once no transaction on them is pending. */
  readonly committed: (
    partitions: readonly TopicPartition[],
  ) => Promise<readonly { readonly offset?: number | undefined; readonly metadata?: string | undefined }[]>;
  /** Called once a transaction is committed. */
  readonly after: (offsets: readonly CommittedOffset[]) => Promise<void>;
  readonly clock?: Clock;
}

export interface MemberOffsets {
  readonly offsets: readonly CommittedOffset[];
  readonly group: GroupMetadata;
}

export class KafkaTransactions implements Transactions {
  readonly #options: KafkaTransactionsOptions;
  readonly #clock: Clock;
  readonly #end = new AbortController();
  /** Partitions that left this member since the last commit began: their offsets say nothing of it. */
  readonly #left = new Set<string>();
  #producer: TransactionWriter | null = null;
  /** How often a broker refused records for the size of their batch: which of BATCH_BYTES may go. */
  #step = 0;
  #steppedMs = 0;

  constructor(options: KafkaTransactionsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** These partitions were revoked or lost. */
  left(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#left.add(nameOf(partition));
  }

  async commit(records: readonly OutgoingRecord[], offsets: readonly CommittedOffset[]): Promise<void> {
    // In the turn in which the owner chose them: a generation in which they are another's refuses them.
    const members = this.#options.byMember(offsets);
    this.#left.clear();
    const producer = await this.#usable();
    failpoint("transaction.before");
    await this.#within(producer, async () => {
      await producer.produce(records);
      failpoint("transaction.published");
      for (const { offsets: its, group } of members) await producer.sendOffsets(its, group);
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
    await this.#within(producer, () => producer.produce(records));
    await producer.abort();
  }

  async close(withinMs: number): Promise<void> {
    this.#end.abort();
    await this.#producer?.close(withinMs);
  }

  async #within(producer: TransactionWriter, work: () => Promise<unknown>): Promise<void> {
    await producer.begin();
    try {
      await work();
    } catch (error) {
      await this.#takeBack(producer, error);
    }
  }

  /** @throws why it was taken back, always */
  async #takeBack(producer: TransactionWriter, error: unknown): Promise<never> {
    // A producer that cannot abort is spent: the next under its id ends what it left open.
    await producer.abort().catch(() => undefined);
    if (error instanceof RefusedTogether) {
      // After a refusal by the broker librdkafka starts over, and purges what the next transaction writes meanwhile.
      this.#producer = null;
      await producer.close(BEHIND_MS);
      if (this.#step < BATCH_BYTES.length) {
        this.#stepTo(this.#step + 1);
        throw takenBack(error);
      }
    }
    if (error instanceof CauceError && error.code === "record_too_large") throw error;
    throw takenBack(error);
  }

  #stepTo(step: number): void {
    this.#step = step;
    this.#steppedMs = this.#clock.monotonicMs();
  }

  async #usable(): Promise<TransactionWriter> {
    this.#refuseClosed();
    const calm = this.#step > 0 && this.#clock.monotonicMs() - this.#steppedMs >= CALM_MS;
    if (calm) this.#stepTo(this.#step - 1);
    if (this.#producer !== null && this.#producer.spent === undefined && !calm) return this.#producer;
    const before = this.#producer;
    this.#producer = null;
    await before?.close(BEHIND_MS);
    const batchBytes = BATCH_BYTES[this.#step - 1];
    const producer = await this.#options.open(batchBytes === undefined ? {} : { batchBytes });
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
        await pause(this.#clock, AGAIN_MS, this.#end.signal);
      }
    }
  }

  #refuseClosed(): void {
    if (this.#end.signal.aborted) throw new CauceError("closed", "the transactions were closed");
  }
}

/**
 * A topic's `max.message.bytes` is not known here; a broker measures batches by it. Each refusal leads to the next of these sizes, the
 * last is a record each. A producer's batches cannot change: each size is a producer of its own. From librdkafka's 1,000,000 on.
 */
const BATCH_BYTES: readonly number[] = [125_000, 15_625, 1_953, 1];
/** After so long without a refusal larger batches are tried again. A try that is refused costs 0.1 to 0.6 s. */
const CALM_MS = 60_000;
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
