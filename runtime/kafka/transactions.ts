/**
 * The transactional producer: records and offsets that become visible together, or not at all.
 *
 * In: records, offsets with the group they belong to. Out: one transaction after the other; what fails says what to do.
 * Never here: a call that waits on the event loop (transaction-thread.ts), a second life: after anything of which the
 * end is not known, the producer refuses for ever and its owner opens another one under the same id, which fences it.
 * The reason is Jepsen's (KAFKA-17754): an EndTxn that is sent twice may arrive late and end the next transaction. So may offsets:
 * they would put the group back. A connection that breaks at any time of a transaction is therefore the producer's end.
 */
import type { CommittedOffset, Positions } from "../bus/bus.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import type { ClientEvent } from "./events.ts";
import { ERROR } from "./failures.ts";
import type { GroupMetadata } from "./group-metadata.ts";
import type { ProducedRecord } from "./outgoing.ts";
import { Producer, type ProducerOptions } from "./producer.ts";
import { TransactionError, type TransactionRemedy } from "./transaction-error.ts";
import { type TransactionRefusal, type TransactionStep, TransactionThread } from "./transaction-thread.ts";

export interface TransactionalProducerOptions extends ProducerOptions {
  /** One living producer per id: the next to say `init` fences the one before. */
  readonly transactionalId: string;
  /** How long the broker leaves a transaction open, 1,000 to 10,000 ms. Default 10,000. Every call gives up after it. */
  readonly transactionTimeoutMs?: number;
}

type State = "new" | "ready" | "open" | "failed" | "spent";

export class TransactionalProducer {
  readonly #producer: Producer;
  readonly #thread: TransactionThread;
  readonly #timeoutMs: number;
  #state: State = "new";
  #reason = "";
  /** Counts what may have made librdkafka send a request twice. */
  #troubles = 0;
  #troublesBefore = 0;
  #closing: Promise<void> | undefined;

  /** Opens the client and its thread; no broker is asked before `init`. */
  static async open(options: TransactionalProducerOptions): Promise<TransactionalProducer> {
    const { transactionalId, transactionTimeoutMs = LONGEST_MS, config, onEvent } = options;
    if (!(transactionTimeoutMs >= SHORTEST_MS && transactionTimeoutMs <= LONGEST_MS)) {
      throw new CauceError(
        "config_invalid",
        `transactionTimeoutMs must lie between ${SHORTEST_MS} and ${LONGEST_MS}, not ${transactionTimeoutMs}`,
      );
    }
    if (transactionalId === "") throw new CauceError("config_invalid", "transactionalId must not be empty");
    let opened: TransactionalProducer | undefined;
    const producer = await Producer.open({
      ...options,
      config: {
        // A record may not wait for longer than its transaction lives.
        "message.timeout.ms": transactionTimeoutMs,
        ...config,
        "transactional.id": transactionalId,
        "transaction.timeout.ms": transactionTimeoutMs,
      },
      onEvent: (event) => {
        opened?.handle(event);
        onEvent?.(event);
      },
      // Their transaction can only be taken back, and librdkafka would keep what comes behind them until its time is over.
      refused: () => opened?.giveUp(),
    });
    const thread = new TransactionThread(options.library.path, producer.client);
    return (opened = new TransactionalProducer(producer, thread, transactionTimeoutMs));
  }

  private constructor(producer: Producer, thread: TransactionThread, timeoutMs: number) {
    this.#producer = producer;
    this.#thread = thread;
    this.#timeoutMs = timeoutMs;
  }

  /** Why this producer must be replaced; undefined while it need not. */
  get spent(): string | undefined {
    return this.#state === "spent" ? this.#reason : this.#producer.fatal;
  }

  /**
   * Fences every other producer of this id and ends what it left open. Once, before the first transaction.
   * @throws TransactionError `retry` while no coordinator answers, else `replace`
   */
  async init(): Promise<void> {
    this.#expect("init", "new");
    const refusal = await this.#call({ kind: "init" });
    if (!refusal) this.#state = "ready";
    else if (refusal.retriable && !refusal.fatal) throw failure("retry", "init", refusal);
    else throw this.#spend("init", refusal);
  }

  /** @throws TransactionError `replace` */
  async begin(): Promise<void> {
    this.#expect("begin", "ready");
    const refusal = await this.#call({ kind: "begin" });
    if (refusal) throw this.#spend("begin", refusal);
    this.#troublesBefore = this.#troubles;
    this.#state = "open";
  }

  /**
   * As `Producer.produce`, within the open transaction. After a rejection the transaction can only be aborted.
   * @throws CauceError as `Producer.produce` does
   */
  async produce(records: readonly ProducedRecord[]): Promise<Positions> {
    this.#expect("produce", "open");
    try {
      return await this.#producer.produce(records);
    } catch (error) {
      // librdkafka does not know of a record that it never got: without this, the others would be committed.
      this.#fail(`a record was not written: ${messageOf(error)}`);
      throw error;
    }
  }

  /**
   * Commits offsets of a group with the transaction: they count when its records do. `group` comes from
   * `Consumer.groupMetadata()`, taken right after the records were and before the work on them.
   * @throws TransactionError `abort` (the group has moved on, for one) or `replace` (they may still arrive)
   */
  async sendOffsets(
    offsets: readonly (CommittedOffset & { metadata?: string })[],
    group: GroupMetadata,
  ): Promise<void> {
    this.#expect("sendOffsets", "open");
    const plain = offsets.map(({ topic, partition, offset, metadata }) => ({
      topic,
      partition,
      offset,
      metadata,
    }));
    const refusal = await this.#call({ kind: "sendOffsets", offsets: plain, group });
    if (!refusal) return;
    if (refusal.fatal || isUnanswered(refusal) || (refusal.retriable && !refusal.abortable))
      throw this.#spend("sendOffsets", refusal);
    this.#fail(refusal.message);
    throw failure("abort", "sendOffsets", refusal);
  }

  /**
   * Waits for the records, then ends the transaction. After it resolves the producer may be `spent` all the same: where
   * a connection broke since `begin`, librdkafka may have sent offsets or the end twice.
   * @throws TransactionError `abort` (nothing was committed) or `replace` (not known whether it was)
   */
  async commit(): Promise<void> {
    this.#expect("commit", "open");
    const startedMs = performance.now();
    // A commit with reports still to come would wait for them inside librdkafka.
    const drained = await this.#producer.flush(this.#timeoutMs).then(
      () => true,
      () => false,
    );
    if (!drained) this.#fail(`records were not acknowledged within ${this.#timeoutMs} ms`);
    this.#expect("commit", "open"); // a record may have failed while we waited
    const leftMs = Math.max(SHORTEST_MS, this.#timeoutMs - (performance.now() - startedMs));
    const refusal = await this.#call({ kind: "commit" }, leftMs);
    if (refusal?.abortable && !refusal.fatal && this.#quiet) {
      this.#fail(refusal.message);
      throw failure("abort", "commit", refusal);
    }
    if (refusal) throw this.#spend("commit", refusal);
    this.#state = "ready";
    if (!this.#quiet) this.#retire("a connection broke during a transaction that was committed");
  }

  /**
   * Takes back the open transaction: its records are skipped by `read_committed` readers, its offsets are not committed.
   * @throws TransactionError `replace`; the broker then takes it back itself, at the latest after the timeout
   */
  async abort(): Promise<void> {
    this.#expect("abort", "open", "failed");
    const refusal = await this.#call({ kind: "abort" });
    if (refusal) throw this.#spend("abort", refusal);
    this.#state = "ready";
    if (!this.#quiet) this.#retire("a connection broke during a transaction that was taken back");
  }

  /**
   * Aborts what is open and ends the client. Resolves within `withinMs` (default: the transaction's timeout), 0 aborts nothing: the
   * broker does, after its timeout. Nobody can call librdkafka back from a wait: what still waits then ends later, by itself.
   * Idempotent.
   */
  async close(withinMs = this.#timeoutMs): Promise<void> {
    this.#closing ??= this.#close(withinMs);
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, withinMs);
    await Promise.race([this.#closing, late.promise]).finally(() => clearTimeout(timer));
  }

  /** @internal From the producer: some of the transaction's records are not there. */
  giveUp(): void {
    this.#producer.purge();
  }

  /** @internal From the client. */
  handle(event: ClientEvent): void {
    if (event.kind === "error") this.#troubles++;
    if (event.kind === "log" && TROUBLES.has(event.facility)) this.#troubles++;
  }

  async #close(withinMs: number): Promise<void> {
    const open = this.#state === "open" || this.#state === "failed";
    if (open && withinMs > 0 && this.#producer.fatal === undefined) {
      await this.#call({ kind: "abort" }, Math.min(withinMs, this.#timeoutMs)).catch(() => undefined);
    }
    await this.#thread.close();
    await this.#producer.close(0);
  }

  #call(step: TransactionStep, timeoutMs = this.#timeoutMs): Promise<TransactionRefusal | undefined> {
    return this.#thread.call(step, Math.ceil(timeoutMs));
  }

  #expect(call: string, ...states: readonly State[]): void {
    if (this.#closing) throw new CauceError("closed", "the transactional producer was closed");
    if (this.spent !== undefined) {
      throw new TransactionError("replace", `${call}: this producer must be replaced: ${this.spent}`);
    }
    if (states.includes(this.#state)) return;
    if (this.#state === "failed")
      throw new TransactionError("abort", `${call}: abort first: ${this.#reason}`);
    throw new CauceError(
      "defect",
      `${call}: the transactional producer is ${this.#state}, not ${states.join(" or ")}`,
    );
  }

  /** Was every request since `begin` sent once? */
  get #quiet(): boolean {
    return this.#troubles === this.#troublesBefore;
  }

  #fail(reason: string): void {
    if (this.#state !== "open") return;
    this.#state = "failed";
    this.#reason = reason;
  }

  #retire(reason: string): void {
    this.#state = "spent";
    this.#reason = reason;
  }

  #spend(call: string, refusal: TransactionRefusal): TransactionError {
    this.#retire(refusal.message);
    return failure("replace", call, refusal);
  }
}

function failure(
  remedy: TransactionRemedy,
  call: string,
  { message, err }: TransactionRefusal,
): TransactionError {
  return new TransactionError(remedy, `${call}: ${message}`, err);
}

/** Did no broker refuse it? librdkafka's own numbers are negative. */
function isUnanswered({ err }: TransactionRefusal): boolean {
  return err < 0 || err === ERROR.requestTimedOut;
}

const SHORTEST_MS = 1_000;
const LONGEST_MS = 10_000;
/** librdkafka's names for a lost connection and for a request without an answer. */
const TROUBLES: ReadonlySet<string> = new Set(["FAIL", "REQTMOUT"]);
