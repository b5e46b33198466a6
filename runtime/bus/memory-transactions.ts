/**
 * Transactions in memory: all is checked before anything is written. See memory.ts.
 */
import { CauceError } from "../ground/errors.ts";
import type { CommittedOffset, OutgoingRecord, Transactions } from "./bus.ts";
import type { MemorySubscription } from "./memory-subscription.ts";
import type { MemoryBroker } from "./memory.ts";

export class MemoryTransactions implements Transactions {
  readonly #broker: MemoryBroker;
  readonly #subscription: MemorySubscription;
  #closed = false;

  constructor(broker: MemoryBroker, subscription: MemorySubscription) {
    this.#broker = broker;
    this.#subscription = subscription;
  }

  async commit(records: readonly OutgoingRecord[], offsets: readonly CommittedOffset[]): Promise<void> {
    await this.rehearse(records);
    this.#subscription.store(offsets, "all");
    for (const record of records) this.#broker.append(record, Date.now());
  }

  async rehearse(records: readonly OutgoingRecord[]): Promise<void> {
    await Promise.resolve();
    if (this.#closed) throw new CauceError("closed", "the transactions were closed");
    const failure = this.#broker.failTransaction?.();
    if (failure) throw failure;
    for (const record of records) this.#broker.check(record);
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }
}
