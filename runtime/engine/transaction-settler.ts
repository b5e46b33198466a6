/**
 * Settles for a handler whose outputs are there exactly once: rows committed → outputs and offset in one transaction.
 *
 * In: outcomes, one by one. Out: rows in Postgres, then what the next transaction writes, and a call for each once it is committed.
 * Nothing spans Kafka and Postgres: where the transaction is taken back, the row is there already and the message's repeat finds it
 * by its key.
 * Never here: transactions (transaction-committer.ts).
 */
import { bodyBytesOf } from "../ground/body-bytes.ts";
import type { CauceError } from "../ground/errors.ts";
import { failpoint } from "../ground/failpoint.ts";
import type { DeadLetter } from "../store/store.ts";
import { letterRecord, letterStub } from "./bury.ts";
import type { Settled } from "./outcome.ts";
import type { OwnedPartition, Task } from "./partition.ts";
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

type Outputs = Prepared["outputs"];

/** An item of which only the rows are settled here, and what its transaction writes then. */
interface Rows<Item> extends Unsettled {
  readonly item: Item;
  readonly outputs: Outputs;
}

export class TransactionSettler<Item extends Answered> {
  readonly #options: TransactionSettlerOptions<Item>;
  readonly #rows: Settler<Rows<Item>>;
  /** Made once: what is prepared costs no closure. */
  readonly #ends: Ends<Item>;

  constructor(options: TransactionSettlerOptions<Item>) {
    this.#options = options;
    this.#ends = {
      lesser: (prepared, error) => this.#lesser(prepared, error),
      committed: ({ item, carriedOut }) => options.settled(item, carriedOut),
    };
    this.#rows = new Settler<Rows<Item>>({
      ...options,
      letterFor: ({ item }, error) => options.letterFor(item, error),
      settled: ({ item, outputs }) => this.#prepare(item, item.outcome, outputs),
      failed: ({ item }, error) => options.failed(item, error),
    });
  }

  /** Takes an outcome on. One without rows is in the next transaction when this returns. */
  add(item: Item): void {
    const { outcome, partition } = item;
    if (outcome.kind === "dead") void this.#bury(item, outcome.letter);
    else if (outcome.kind === "retry") this.#rows.add({ item, partition, outcome, outputs: [] });
    else if (outcome.publish.length > 0 && this.#options.detour?.() === true)
      this.#rows.add({ item, partition, outcome, outputs: [] });
    else if (outcome.schedule.length === 0) this.#prepare(item, outcome, outcome.publish);
    else this.#rows.add({ item, partition, outcome: { ...outcome, publish: [] }, outputs: outcome.publish });
  }

  #prepare(item: Item, carriedOut: Settled, outputs: Outputs): void {
    const { committer, prepared } = this.#options;
    committer.add(new PreparedItem(item, outputs, carriedOut, this.#ends));
    prepared(item);
  }

  async #bury(item: Item, letter: DeadLetter): Promise<void> {
    try {
      await this.#writeLetter(item, letter);
    } catch (error) {
      this.#options.failed(item, error);
      return;
    }
    const record = letterRecord(letter, this.#options.deadLetterTopic);
    this.#prepare(item, { kind: "dead", letter }, [{ record }]);
  }

  /** What a message writes whose output is too large: its dead letter, and of a letter that is too large a stub. */
  async #lesser({ item, carriedOut }: PreparedItem<Item>, error: CauceError): Promise<Prepared> {
    const { deadLetterTopic, letterFor } = this.#options;
    if (carriedOut.kind === "dead") {
      const stub = [{ record: letterStub(carriedOut.letter, deadLetterTopic) }];
      return new PreparedItem(item, stub, carriedOut, {
        ...this.#ends,
        lesser: (least) => Promise.resolve(least),
      });
    }
    const letter = letterFor(item, error);
    await this.#writeLetter(item, letter);
    const outputs = [{ record: letterRecord(letter, deadLetterTopic) }];
    return new PreparedItem(item, outputs, { kind: "dead", letter }, this.#ends);
  }

  async #writeLetter({ partition }: Item, letter: DeadLetter): Promise<void> {
    await persist(() => this.#options.store.bury([letter]), this.#options.patience(partition.signal));
    failpoint("settle.letter_written");
  }
}

/** What becomes of a prepared item. */
interface Ends<Item extends Answered> {
  readonly lesser: (prepared: PreparedItem<Item>, error: CauceError) => Promise<Prepared>;
  readonly committed: (prepared: PreparedItem<Item>) => void;
}

class PreparedItem<Item extends Answered> implements Prepared {
  readonly item: Item;
  readonly partition: OwnedPartition;
  readonly offset: number;
  readonly bytes: number;
  readonly outputs: Outputs;
  readonly carriedOut: Settled;
  readonly #ends: Ends<Item>;

  constructor(item: Item, outputs: Outputs, carriedOut: Settled, ends: Ends<Item>) {
    const { partition, ticket, bytes } = item.task;
    let all = bytes;
    for (const { record } of outputs) all += bodyBytesOf(record);
    this.item = item;
    this.partition = partition;
    this.offset = ticket.offset;
    this.bytes = all;
    this.outputs = outputs;
    this.carriedOut = carriedOut;
    this.#ends = ends;
  }

  lesser(error: CauceError): Promise<Prepared> {
    return this.#ends.lesser(this, error);
  }

  committed(): void {
    this.#ends.committed(this);
  }
}
