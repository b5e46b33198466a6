/**
 * Settles for a handler whose outputs are there exactly once: rows committed → outputs and offset in one transaction.
 *
 * In: outcomes, one by one. Out: rows in Postgres, then what the next transaction writes, and a call for each once it is committed.
 * Nothing spans Kafka and Postgres: where the transaction is taken back, the row is there already and the message's repeat finds it
 * by its key.
 * Never here: transactions (transaction-committer.ts).
 */
import type { OutgoingRecord } from "../bus/bus.ts";
import type { CauceError } from "../ground/errors.ts";
import { failpoint } from "../ground/failpoint.ts";
import type { DeadLetter } from "../store/store.ts";
import { letterRecord, letterStub } from "./bury.ts";
import type { Settled } from "./outcome.ts";
import type { Task } from "./partition.ts";
import { persist } from "./persist.ts";
import { Settler, type SettlerOptions, type Unsettled } from "./settle.ts";
import type { Prepared, TransactionCommitter } from "./transaction-committer.ts";

export interface Answered extends Unsettled {
  readonly task: Task;
}

export interface TransactionSettlerOptions<Item extends Answered> extends SettlerOptions<Item> {
  readonly committer: TransactionCommitter;
  /** Told of each that the next transaction writes: its offset is finished, and nothing of it runs any more. */
  readonly prepared: (item: Item) => void;
}

/** An item of which only the rows are settled here, and what its transaction writes then. */
interface Rows<Item> extends Unsettled {
  readonly item: Item;
  readonly records: readonly OutgoingRecord[];
}

export class TransactionSettler<Item extends Answered> {
  readonly #options: TransactionSettlerOptions<Item>;
  readonly #rows: Settler<Rows<Item>>;

  constructor(options: TransactionSettlerOptions<Item>) {
    this.#options = options;
    this.#rows = new Settler<Rows<Item>>({
      ...options,
      letterFor: ({ item }, error) => options.letterFor(item, error),
      settled: ({ item, records }) => this.#prepare(item, item.outcome, records),
      failed: ({ item }, error) => options.failed(item, error),
    });
  }

  /** Takes an outcome on. One without rows is in the next transaction when this returns. */
  add(item: Item): void {
    const { outcome, partition } = item;
    if (outcome.kind === "dead") void this.#bury(item, outcome.letter);
    else if (outcome.kind === "retry") this.#rows.add({ item, partition, outcome, records: [] });
    else if (outcome.publish.length > 0 && this.#options.detour?.() === true)
      this.#rows.add({ item, partition, outcome, records: [] });
    else {
      const records = outcome.publish.map(({ record }) => record);
      if (outcome.schedule.length === 0) this.#prepare(item, outcome, records);
      else this.#rows.add({ item, partition, outcome: { ...outcome, publish: [] }, records });
    }
  }

  #prepare(item: Item, carriedOut: Settled, records: readonly OutgoingRecord[]): void {
    const { committer, prepared, settled } = this.#options;
    const { partition, ticket, bytes } = item.task;
    committer.add({
      partition,
      offset: ticket.offset,
      heldBytes: bytes,
      records,
      lesser: (error) => this.#lesser(item, error),
      committed: () => settled(item, carriedOut),
    });
    prepared(item);
  }

  async #bury(item: Item, letter: DeadLetter): Promise<void> {
    try {
      await this.#writeLetter(item, letter);
    } catch (error) {
      this.#options.failed(item, error);
      return;
    }
    this.#prepare(item, { kind: "dead", letter }, [letterRecord(letter, this.#options.deadLetterTopic)]);
  }

  /** What a message writes whose output is too large: its dead letter, and of a letter that is too large a stub. */
  async #lesser(item: Item, error: CauceError): Promise<Prepared> {
    const { partition, ticket, bytes } = item.task;
    const letter = item.outcome.kind === "dead" ? item.outcome.letter : this.#options.letterFor(item, error);
    const { deadLetterTopic, settled } = this.#options;
    const stub: Prepared = {
      partition,
      offset: ticket.offset,
      heldBytes: bytes,
      records: [letterStub(letter, deadLetterTopic)],
      lesser: null,
      committed: () => settled(item, { kind: "dead", letter }),
    };
    if (item.outcome.kind === "dead") return stub;
    await this.#writeLetter(item, letter);
    return { ...stub, records: [letterRecord(letter, deadLetterTopic)], lesser: () => Promise.resolve(stub) };
  }

  async #writeLetter({ partition }: Item, letter: DeadLetter): Promise<void> {
    await persist(() => this.#options.store.bury([letter]), this.#options.patience(partition.signal));
    failpoint("settle.letter_written");
  }
}
