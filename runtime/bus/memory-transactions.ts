/**
 * Transactions in memory: all is checked before anything is written. See memory.ts.
 */
import { CauceError } from "../ground/errors.ts";
import type { CommittedOffset, OutgoingRecord, Transactions } from "./bus.ts";
import type { MemoryBroker } from "./memory-broker.ts";

export class MemoryTransactions implements Transactions {
  readonly #broker: MemoryBroker;
  readonly #store: (offsets: readonly CommittedOffset[]) => void;
  #closed = false;

  /** @param store Commits offsets of the subscription whose transactions these are, or throws. */
  constructor(broker: MemoryBroker, store: (offsets: readonly CommittedOffset[]) => void) {
    this.#broker = broker;
    this.#store = store;
  }

  async commit(records: readonly OutgoingRecord[], offsets: readonly CommittedOffset[]): Promise<void> {
    await this.rehearse(records);
    this.#store(offsets);
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
