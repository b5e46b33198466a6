/**
 * The producer: idempotent, acknowledged by all in-sync replicas, bounded.
 *
 * In: records. Out: a promise per call with the position of each record, or the first failure.
 * Never here: replacing itself. A producer that failed for good says `producer_fatal` from then on; its owner
 * opens another one. The native side keeps copies only; the caller's
 * buffers must stay as they are until the promise settles.
 */
import type { OutgoingRecord, RecordPosition } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import { type ClientConfig, EVENT } from "./client.ts";
import { openCrossing } from "./choose-crossing.ts";
import type { Crossing, CrossingChoice } from "./crossing.ts";
import { encodedBytes, encodeRecords } from "./encoder.ts";
import type { ClientEvent } from "./events.ts";
import { deliveryFailure, ERROR, errorName, fatalReason, PERSISTED } from "./failures.ts";
import { DELIVERY } from "./layout.ts";
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

/** One crossing of at most CHUNK_RECORDS records of one `produce` call. */
interface Chunk {
  readonly call: Call;
  /** Index in the call of the record whose opaque is `slot * SLOT_SIZE`. */
  readonly from: number;
  readonly bytes: number;
  unanswered: number;
}

interface Call {
  readonly records: readonly OutgoingRecord[];
  readonly positions: RecordPosition[];
  failure: CauceError | undefined;
  unanswered: number;
  resolve(positions: readonly RecordPosition[]): void;
  reject(error: CauceError): void;
}

export class Producer {
  readonly #pump: Pump;
  readonly #crossing: Crossing;
  readonly #mostRecords: number;
  readonly #mostBytes: number;
  readonly #topics = new Map<string, Address>();
  readonly #chunks = new Map<number, Chunk>();
  /** Calls take their turn one after the other, so that a small one never overtakes a waiting large one. */
  #turn: Promise<void> = Promise.resolve();
  readonly #wakeUps: (() => void)[] = [];
  #spentMs = 0;
  #nextSlot = 1;
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
    producer = new Producer(pump, crossing, mostRecords, mostBytes);
    return producer;
  }

  private constructor(pump: Pump, crossing: Crossing, mostRecords: number, mostBytes: number) {
    this.#pump = pump;
    this.#crossing = crossing;
    this.#mostRecords = mostRecords;
    this.#mostBytes = mostBytes;
    pump.on(EVENT.deliveries, (event) => this.#delivered(event));
  }

  /** Why this producer cannot go on; undefined while it can. */
  get fatal(): string | undefined {
    return this.#fatal;
  }

  /** What is handed over and not acknowledged yet. */
  get inFlight(): { readonly records: number; readonly bytes: number } {
    return { records: this.#records, bytes: this.#bytes };
  }

  /**
   * Produces in order and resolves with every record's position. Waits while the producer is full.
   * Settles only when nothing of the call is in flight any more: after a rejection nothing of it is written later.
   * @throws CauceError `record_too_large`, `possibly_persisted`, `producer_fatal`, `broker` or `closed`
   */
  produce(records: readonly OutgoingRecord[]): Promise<readonly RecordPosition[]> {
    if (records.length === 0) return Promise.resolve([]);
    if (this.#closing) return Promise.reject(new CauceError("closed", "the producer was closed"));
    return new Promise((resolve, reject) => {
      const call: Call = { records, positions: [], failure: undefined, unanswered: 0, resolve, reject };
      this.#turn = this.#turn.then(() => this.#handOver(call));
    });
  }

  /**
   * Resolves when nothing is in flight.
   * @throws CauceError `broker` (retryable) when `deadlineMs` passes before.
   */
  async flush(deadlineMs: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      const message = `${this.#records} records were not acknowledged within ${deadlineMs} ms`;
      late.reject(new CauceError("broker", message, { retryable: true }));
    }, deadlineMs);
    try {
      await Promise.race([this.#idle(), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Gives up on everything that waits or is in flight; their calls reject. */
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
      this.#wakeAll();
      this.purge();
      await this.flush(PURGE_ANSWERS_MS).catch(() => this.#abandon());
    }
    for (const topic of this.#topics.values()) this.#pump.library.native.rd_kafka_topic_destroy(topic);
    this.#topics.clear();
    this.#pump.close();
  }

  /** @internal The native client, for the calls of transactions.ts; gone after `close`. */
  get client(): Address {
    return this.#pump.client;
  }

  /** @internal From the pump: the client reported a fatal error. */
  failForGood(reason: string): void {
    this.#fatal ??= fatalReason(this.#pump.library, this.#pump.client) ?? reason;
    this.#wakeAll();
  }

  async #handOver(call: Call): Promise<void> {
    let at = 0;
    while (at < call.records.length && !call.failure) {
      const piece = this.#nextPiece(call.records, at);
      while (!this.#refusal() && !this.#hasRoom(piece.count, piece.bytes)) await this.#nextAnswer();
      call.failure ??= this.#refusal();
      if (call.failure) break; // one of its records may have failed while we waited
      const startedMs = performance.now();
      const taken = this.#cross(call, at, piece);
      at += taken;
      if (this.#spend(performance.now() - startedMs) > TURN_MS) await nextTurn();
      if (taken < piece.count && !call.failure) await this.#nextAnswer(); // librdkafka's own queue is full
    }
    if (call.unanswered === 0) settle(call);
  }

  /** As many records from `at` on as cross together: bounded by count, and by bytes unless it is a single one. */
  #nextPiece(records: readonly OutgoingRecord[], at: number): { count: number; bytes: number } {
    const most = Math.min(CHUNK_RECORDS, this.#mostRecords, records.length - at);
    let count = 0;
    let bytes = 0;
    while (count < most) {
      const record = records[at + count];
      const more = record ? encodedBytes(record) : 0;
      if (count > 0 && bytes + more > Math.min(CHUNK_BYTES, this.#mostBytes)) break;
      bytes += more;
      count++;
    }
    return { count, bytes };
  }

  /** Adds to what this turn of the event loop has cost, in ms; the next turn starts at 0. */
  #spend(ms: number): number {
    if (this.#spentMs === 0) setImmediate(() => (this.#spentMs = 0));
    return (this.#spentMs += ms);
  }

  #hasRoom(records: number, bytes: number): boolean {
    if (this.#records === 0) return true; // one that is larger than the bound goes alone
    return this.#records + records <= this.#mostRecords && this.#bytes + bytes <= this.#mostBytes;
  }

  #refusal(): CauceError | undefined {
    if (this.#fatal !== undefined) {
      return new CauceError("producer_fatal", `the producer cannot go on: ${this.#fatal}`, {
        retryable: true,
      });
    }
    return this.#abandoned ? new CauceError("closed", "the producer was closed") : undefined;
  }

  /** Hands one piece to librdkafka. @returns how many records it took. */
  #cross(call: Call, from: number, piece: { count: number; bytes: number }): number {
    const { library, client } = this.#pump;
    const slot = this.#nextSlot++;
    const part =
      from === 0 && piece.count === call.records.length
        ? call.records
        : call.records.slice(from, from + piece.count);
    let encoded: Uint8Array;
    try {
      encoded = encodeRecords(part, (topic) => this.#topic(topic));
    } catch (error) {
      call.failure =
        error instanceof CauceError
          ? error
          : new CauceError("defect", "a record could not be encoded", { cause: error });
      return 0;
    }
    const { taken, err } = this.#crossing.produce(client, encoded, piece.count, slot * SLOT_SIZE);
    if (taken > 0) {
      this.#chunks.set(slot, { call, from, bytes: piece.bytes, unanswered: taken });
      call.unanswered += taken;
      this.#records += taken;
      this.#bytes += piece.bytes;
    }
    if (err !== ERROR.none && err !== ERROR.queueFull) {
      call.failure ??= deliveryFailure(library, err, PERSISTED.no, call.records[from + taken]?.topic ?? "");
      if (err === ERROR.fatal) this.failForGood(errorName(library, err));
    }
    return taken;
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
    const { library } = this.#pump;
    const { count, view } = this.#crossing.deliveries(event);
    for (let index = 0; index < count; index++) {
      const at = index * DELIVERY.size;
      const opaque = view.getFloat64(at + DELIVERY.opaque, true);
      const slot = Math.floor(opaque / SLOT_SIZE);
      const chunk = this.#chunks.get(slot);
      if (!chunk) continue;
      const { call } = chunk;
      const record = chunk.from + (opaque - slot * SLOT_SIZE);
      const topic = call.records[record]?.topic ?? "";
      const err = view.getInt32(at + DELIVERY.err, true);
      if (err === ERROR.none) {
        const partition = view.getInt32(at + DELIVERY.partition, true);
        call.positions[record] = { topic, partition, offset: view.getFloat64(at + DELIVERY.offset, true) };
      } else {
        call.failure ??= deliveryFailure(library, err, view.getInt32(at + DELIVERY.status, true), topic);
        if (err === ERROR.fatal) this.failForGood(errorName(library, err));
      }
      this.#records--;
      call.unanswered--;
      chunk.unanswered--;
      if (chunk.unanswered === 0) {
        this.#chunks.delete(slot);
        this.#bytes -= chunk.bytes;
      }
      // A call is whole when all its records were handed over and answered; a failed one stops handing over.
      if (call.unanswered === 0 && (call.failure || isComplete(call))) settle(call);
    }
    this.#wakeAll();
  }

  /** After a purge whose reports did not come: nothing may be left waiting for ever. */
  #abandon(): void {
    for (const { call } of this.#chunks.values()) {
      call.failure ??= new CauceError(
        "possibly_persisted",
        "the producer was closed before the broker answered",
        { retryable: true },
      );
      settle(call);
    }
    this.#chunks.clear();
    this.#records = 0;
    this.#bytes = 0;
  }

  async #idle(): Promise<void> {
    await this.#turn;
    while (this.#records > 0) await this.#nextAnswer();
  }

  #nextAnswer(): Promise<void> {
    return new Promise((resolve) => this.#wakeUps.push(resolve));
  }

  #wakeAll(): void {
    for (const wakeUp of this.#wakeUps.splice(0)) wakeUp();
  }
}

function isComplete(call: Call): boolean {
  return call.positions.length === call.records.length;
}

function settle(call: Call): void {
  if (call.failure) call.reject(call.failure);
  else if (isComplete(call)) call.resolve(call.positions);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Records that cross at once: under 1 ms by the shim, 2 to 3 ms by plain calls. */
const CHUNK_RECORDS = 256;
const CHUNK_BYTES = 1024 * 1024;
/** After this much work the event loop gets its turn, in ms. */
const TURN_MS = 2;
/** Opaque numbers are slot × SLOT_SIZE + index in the chunk: exact in a double for 2^37 chunks. */
const SLOT_SIZE = 65_536;
/** RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT. */
const PURGE_ALL = 0x1 | 0x2;
const PURGE_ANSWERS_MS = 2_000;
