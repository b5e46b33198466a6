/**
 * The producer: idempotent, acknowledged by all in-sync replicas, bounded.
 *
 * In: records. Out: a promise per call with the position of each record, or the first failure.
 * Never here: replacing itself. A producer that failed for good says `producer_fatal` from then on; its owner
 * opens another one. The native side keeps copies only; the caller's buffers must stay as they are until the promise settles.
 */
import type { Positions } from "../bus/bus.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import { AnswerBook, type AnsweredPiece } from "./answers.ts";
import { type ClientConfig, EVENT } from "./client.ts";
import { openCrossing } from "./choose-crossing.ts";
import type { Crossing, CrossingChoice } from "./crossing.ts";
import type { ClientEvent } from "./events.ts";
import { deliveryFailure, ERROR, errorName, fatalReason, PERSISTED } from "./failures.ts";
import { OutgoingTable, type ProducedRecord, type Written } from "./outgoing.ts";
import { ProduceCall } from "./produce-call.ts";
import { Pump } from "./pump.ts";
import { type Address, cString, type Library } from "./symbols.ts";

export interface ProducerOptions {
  readonly library: Library;
  /** librdkafka properties over `PRODUCER_DEFAULTS`; `bootstrap.servers` at least. */
  readonly config: ClientConfig;
  readonly onEvent?: (event: ClientEvent) => void;
  /** Records that may be unacknowledged at once; `produce` waits beyond. Default 100,000. */
  readonly mostRecords?: number;
  /** Bytes that may be unacknowledged at once; `produce` waits beyond. Default 64 MiB. */
  readonly mostBytes?: number;
  readonly crossing?: CrossingChoice;
  /** Told of records that were not delivered; their calls may still wait for others. */
  readonly refused?: () => void;
}

export const PRODUCER_DEFAULTS: ClientConfig = {
  "enable.idempotence": true,
  acks: "all",
  // As Java, Flink and the console tools: the same key lands on the same partition, whoever writes it.
  partitioner: "murmur2_random",
  "linger.ms": 0.5,
  "message.timeout.ms": 30_000,
  "reconnect.backoff.max.ms": 2_000,
  "statistics.interval.ms": 1_000,
};

export class Producer {
  readonly #pump: Pump;
  readonly #crossing: Crossing;
  readonly #mostRecords: number;
  readonly #mostBytes: number;
  readonly #refusedSome: (() => void) | undefined;
  readonly #topics = new Map<string, Address>();
  readonly #table = new OutgoingTable(PIECE_RECORDS);
  readonly #book = new AnswerBook();
  /** Calls by the id of answers that are not complete: they hold the memory that reports are written into. */
  readonly #unanswered = new Map<number, ProduceCall>();
  /** Calls that are not handed over whole, in order: a small one never overtakes a large one that waits. */
  #waiting: ProduceCall[] = [];
  readonly #idle = new Set<() => void>();
  #spentMs = 0;
  #resuming = false;
  #records = 0;
  #bytes = 0;
  #fatal: string | undefined;
  #closing = false;
  #abandoned = false;

  static async open(options: ProducerOptions): Promise<Producer> {
    const crossing = openCrossing(options.library, options.crossing);
    const mostRecords = options.mostRecords ?? 100_000;
    const mostBytes = options.mostBytes ?? 64 * 1024 * 1024;
    let producer: Producer | undefined;
    const pump = await Pump.open({
      library: options.library,
      kind: "producer",
      config: {
        ...PRODUCER_DEFAULTS,
        // librdkafka's own bounds lie above ours: it counts its bookkeeping too.
        "queue.buffering.max.messages": mostRecords * 2,
        "queue.buffering.max.kbytes": Math.ceil(mostBytes / 512) + 4_096,
        ...options.config,
      },
      onEvent: (event) => {
        if (event.kind === "error" && event.fatal) producer?.failForGood(event.message);
        options.onEvent?.(event);
      },
    });
    producer = new Producer(pump, crossing, { mostRecords, mostBytes, refused: options.refused });
    return producer;
  }

  private constructor(
    pump: Pump,
    crossing: Crossing,
    rest: { mostRecords: number; mostBytes: number; refused: (() => void) | undefined },
  ) {
    this.#pump = pump;
    this.#crossing = crossing;
    this.#mostRecords = rest.mostRecords;
    this.#mostBytes = rest.mostBytes;
    this.#refusedSome = rest.refused;
    pump.on(EVENT.deliveries, (event) => this.#delivered(event));
  }

  /** Why this producer cannot go on; undefined while it can. */
  get fatal(): string | undefined {
    return this.#fatal;
  }

  /** What is handed over and not acknowledged yet; records of one crossing count until the last of them is. */
  get inFlight(): { readonly records: number; readonly bytes: number } {
    return { records: this.#records, bytes: this.#bytes };
  }

  /**
   * Produces in order and resolves with every record's position. Waits while the producer is full.
   * Settles only when nothing of the call is in flight any more: after a rejection nothing of it is written later.
   * @throws CauceError `record_too_large`, `possibly_persisted`, `producer_fatal`, `broker` or `closed`
   */
  produce(records: readonly ProducedRecord[]): Promise<Positions> {
    if (records.length === 0) return Promise.resolve([]);
    if (this.#closing) return Promise.reject(new CauceError("closed", "the producer was closed"));
    const call = new ProduceCall(records);
    this.#waiting.push(call);
    if (this.#waiting.length === 1) this.#advance();
    return call.settled;
  }

  /**
   * Resolves when nothing waits or is in flight.
   * @throws CauceError `broker` (retryable) when `deadlineMs` passes before.
   */
  async flush(deadlineMs: number): Promise<void> {
    if (this.#isIdle) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      const message = `${this.#records} records were not acknowledged within ${deadlineMs} ms`;
      reject(new CauceError("broker", message, { retryable: true }));
    }, deadlineMs);
    this.#idle.add(resolve);
    try {
      await promise;
    } finally {
      this.#idle.delete(resolve);
      clearTimeout(timer);
    }
  }

  /** Gives up on everything that is in flight; their calls reject. */
  purge(): void {
    if (!this.#pump.closed) this.#pump.library.native.rd_kafka_purge(this.#pump.client, PURGE_ALL);
  }

  /** Flushes up to `deadlineMs`, gives up on the rest, and ends the client. Idempotent. */
  async close(deadlineMs = 10_000): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    try {
      await this.flush(this.#fatal === undefined ? deadlineMs : 0);
    } catch {
      this.#abandoned = true;
      this.#advance();
      this.purge();
      await this.flush(PURGE_ANSWERS_MS).catch(() => undefined);
    }
    for (const topic of this.#topics.values()) this.#pump.library.native.rd_kafka_topic_destroy(topic);
    this.#topics.clear();
    this.#pump.close();
    // The client is gone: no report is written into their memory any more.
    this.#abandon();
  }

  /** @internal The native client, for the calls of transactions.ts; gone after `close`. */
  get client(): Address {
    return this.#pump.client;
  }

  /** @internal From the pump: the client reported a fatal error. */
  failForGood(reason: string): void {
    this.#fatal ??= fatalReason(this.#pump.library, this.#pump.client) ?? reason;
    this.#advance();
  }

  /** Hands over what waits, as far as there is room and our share of this turn of the event loop goes. */
  #advance(): void {
    for (let call = this.#waiting[0]; call !== undefined; call = this.#waiting[0]) {
      if (!this.#handOver(call)) return;
      this.#waiting.shift();
      call.settleIfComplete();
    }
    if (this.#isIdle) for (const resolve of this.#idle) resolve();
  }

  /** @returns false where some of it must wait. */
  #handOver(call: ProduceCall): boolean {
    while (!call.isHandedOver) {
      const refusal = this.#refusal();
      if (refusal) call.fail(refusal);
      if (call.failure) return true;
      if (this.#spentMs > TURN_MS) {
        this.#resume();
        return false;
      }
      const room = this.#room(call.records.length - call.handedOver);
      if (room === null) return false;
      const startedMs = performance.now();
      const whole = this.#cross(call, room);
      this.#spend(performance.now() - startedMs);
      if (!whole && !call.failure) return false; // no room for its next record, or librdkafka's own queue is full
    }
    return true;
  }

  /** Notes what this turn of the event loop has cost; the next turn starts at 0. */
  #spend(ms: number): void {
    if (this.#spentMs === 0) setImmediate(() => (this.#spentMs = 0));
    this.#spentMs += ms;
  }

  /** Goes on in the next turn of the event loop. */
  #resume(): void {
    if (this.#resuming) return;
    this.#resuming = true;
    setImmediate(() => {
      this.#resuming = false;
      this.#spentMs = 0;
      this.#advance();
    });
  }

  /** What may cross now; null where there is no room for a whole piece: many small ones would cost more than waiting. */
  #room(left: number): { readonly records: number; readonly bytes: number } | null {
    const records = Math.min(PIECE_RECORDS, this.#mostRecords, left);
    // One that is larger than the bound goes alone.
    if (this.#records === 0) return { records, bytes: Math.min(PIECE_BYTES, this.#mostBytes) };
    const bytes = Math.min(PIECE_BYTES, this.#mostBytes - this.#bytes);
    return this.#records + records <= this.#mostRecords && bytes > 0 ? { records, bytes } : null;
  }

  get #isIdle(): boolean {
    return this.#records === 0 && this.#waiting.length === 0;
  }

  #refusal(): CauceError | undefined {
    if (this.#fatal !== undefined) {
      return new CauceError("producer_fatal", `the producer cannot go on: ${this.#fatal}`, {
        retryable: true,
      });
    }
    return this.#abandoned ? new CauceError("closed", "the producer was closed") : undefined;
  }

  /** Hands the next piece to librdkafka. @returns whether it took all of it. */
  #cross(call: ProduceCall, room: { readonly records: number; readonly bytes: number }): boolean {
    const { library, client } = this.#pump;
    let piece: Written;
    try {
      piece = this.#table.write(call.records, call.handedOver, room, (topic) => this.#topic(topic));
      if (this.#records > 0 && piece.bytes > room.bytes) {
        this.#table.clear();
        return false;
      }
    } catch (error) {
      this.#table.clear();
      call.fail(
        error instanceof CauceError
          ? error
          : new CauceError("defect", `a record could not be read: ${messageOf(error)}`, { cause: error }),
      );
      return false;
    }
    const answers = this.#book.open(piece.count);
    const { taken, err } = this.#crossing.produce(client, this.#table, piece.count, answers);
    this.#table.clear();
    if (taken > 0) {
      this.#unanswered.set(answers.id, call);
      call.handed({ answers, count: taken, bytes: piece.bytes });
      this.#records += taken;
      this.#bytes += piece.bytes;
    }
    if (err !== ERROR.none && err !== ERROR.queueFull) {
      call.fail(deliveryFailure(library, err, PERSISTED.no, call.records[call.handedOver]?.topic ?? ""));
      if (err === ERROR.fatal) this.#fatal ??= errorName(library, err);
    }
    return taken === piece.count;
  }

  #topic(name: string): Address {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const topic = this.#pump.library.native.rd_kafka_topic_new(this.#pump.client, cString(name), null);
    if (!topic)
      throw new CauceError(
        "declaration_invalid",
        `librdkafka refuses the topic name ${JSON.stringify(name)}`,
      );
    this.#topics.set(name, topic);
    return topic;
  }

  #delivered(event: Address): void {
    const complete = this.#crossing.deliveries(event, (id) => this.#unanswered.get(id)?.answersOf(id));
    const heard = this.#refusedSome;
    if (heard && this.#unanswered.values().some((call) => call.hasRefused)) heard();
    if (complete.length === 0) return;
    for (const id of complete) {
      const call = this.#unanswered.get(id);
      const piece = call?.answered(id);
      if (call === undefined || piece === undefined) continue;
      this.#unanswered.delete(id);
      this.#records -= piece.count;
      this.#bytes -= piece.bytes;
      if (piece.answers.failed > 0) this.#refused(call, piece);
      call.settleIfComplete();
    }
    this.#advance();
  }

  #refused(call: ProduceCall, { answers, count, topicOf }: AnsweredPiece): void {
    const { library } = this.#pump;
    for (const { index, err, persisted } of answers.refusals(count)) {
      const failure = deliveryFailure(library, err, persisted, topicOf(index));
      call.refused(answers, index, { failure, forSize: failure.code === "record_too_large" });
      if (err === ERROR.fatal) this.failForGood(errorName(library, err));
    }
  }

  /** After a purge whose reports did not come: nothing may be left waiting for ever. */
  #abandon(): void {
    for (const call of this.#unanswered.values()) {
      const words = "the producer was closed before the broker answered";
      call.fail(new CauceError("possibly_persisted", words, { retryable: true }));
      call.giveUp();
    }
    this.#unanswered.clear();
    this.#records = 0;
    this.#bytes = 0;
  }
}

/** Records that cross at once: under 1 ms by the shim, 4 to 6 ms by plain calls. */
const PIECE_RECORDS = 512;
const PIECE_BYTES = 1024 * 1024;
/** After this much work the event loop gets its turn, in ms. */
const TURN_MS = 2;
/** RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT. */
const PURGE_ALL = 0x1 | 0x2;
const PURGE_ANSWERS_MS = 2_000;
