/**
 * The way to the thread that waits: a promise for every call of transaction-worker.ts.
 *
 * In: calls, made one after the other. Out: what librdkafka refused, or undefined. Never here: what a refusal means for
 * the transaction (transactions.ts); the end of a thread that is inside librdkafka.
 */
import { CauceError } from "../ground/errors.ts";
import type { PartitionEntry } from "./partitions.ts";
import type { Address } from "./symbols.ts";

export type TransactionStep =
  | { readonly kind: "init" | "begin" | "commit" | "abort" }
  | {
      readonly kind: "sendOffsets";
      readonly offsets: readonly PartitionEntry[];
      readonly group: Uint8Array;
    };

export type TransactionCall = TransactionStep & {
  readonly id: number;
  readonly library: string;
  readonly client: Address;
  readonly timeoutMs: number;
};

/** An `rd_kafka_error_t`, taken apart. */
export interface TransactionRefusal {
  readonly err: number;
  readonly message: string;
  readonly fatal: boolean;
  readonly retriable: boolean;
  readonly abortable: boolean;
}

export interface TransactionReply {
  readonly id: number;
  readonly refusal?: TransactionRefusal;
  readonly defect?: string;
}

interface Waiting {
  resolve(refusal: TransactionRefusal | undefined): void;
  reject(error: CauceError): void;
}

export class TransactionThread {
  readonly #worker: Worker;
  readonly #library: string;
  readonly #client: Address;
  readonly #waiting = new Map<number, Waiting>();
  #last: Promise<unknown> = Promise.resolve();
  #next = 1;
  #broken: CauceError | undefined;

  constructor(library: string, client: Address) {
    this.#library = library;
    this.#client = client;
    this.#worker = new Worker(new URL("transaction-worker.ts", import.meta.url).href, { smol: true });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<TransactionReply>) =>
      this.#answered(data),
    );
    this.#worker.addEventListener("error", ({ message }) => {
      this.#broken = new CauceError("defect", `the thread of transactions failed: ${message}`);
      for (const waiting of this.#waiting.values()) waiting.reject(this.#broken);
      this.#waiting.clear();
    });
  }

  /** Makes a call once those before it have returned. @returns what librdkafka refused, or undefined */
  call(step: TransactionStep, timeoutMs: number): Promise<TransactionRefusal | undefined> {
    const made = this.#last.then(() => this.#make(step, timeoutMs));
    this.#last = made.catch(() => undefined);
    return made;
  }

  /** Ends the thread, once it has come back from librdkafka. The client may be destroyed afterwards. */
  async close(): Promise<void> {
    await this.#last;
    this.#worker.terminate();
  }

  #make(step: TransactionStep, timeoutMs: number): Promise<TransactionRefusal | undefined> {
    if (this.#broken) return Promise.reject(this.#broken);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const call: TransactionCall = { ...step, id, library: this.#library, client: this.#client, timeoutMs };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker, not a window: there is no origin
      this.#worker.postMessage(call);
    });
  }

  #answered({ id, refusal, defect }: TransactionReply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (defect === undefined) waiting?.resolve(refusal);
    else waiting?.reject(new CauceError("defect", `a transaction's call could not be made: ${defect}`));
  }
}
