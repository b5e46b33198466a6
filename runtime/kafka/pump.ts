/**
 * One client with its queues: what arrives is handed, event by event, to whoever asked for its type.
 *
 * In: settings and handlers. Out: calls on JavaScript's own thread, each with a native event that lives for that call.
 * Never here: the meaning of an event; a wait inside librdkafka (every poll has a timeout of 0).
 */
import { type Address, type Library, text } from "./symbols.ts";
import { type ClientConfig, type ClientKind, destroyClient, newClient } from "./client.ts";
import { type ClientEvent, readClientEvent } from "./events.ts";
import { Wake } from "./wake.ts";

export interface PumpOptions {
  readonly library: Library;
  readonly kind: ClientKind;
  readonly config: ClientConfig;
  /** Logs, errors and statistics of the client. */
  readonly onEvent: (event: ClientEvent) => void;
}

/** Called with an event that is destroyed when the call returns. */
export type EventHandler = (event: Address) => void;

export class Pump {
  readonly client: Address;
  readonly library: Library;
  /** What librdkafka calls this client in its logs. */
  readonly name: string;
  /** Where events arrive: the consumer queue of a consumer, else the main queue. */
  readonly queue: Address;
  readonly #onEvent: (event: ClientEvent) => void;
  readonly #handlers = new Map<number, EventHandler>();
  readonly #drains: (() => void)[] = [];
  readonly #queues: Address[] = [];
  #wake: Wake | undefined;
  #scheduled = false;
  #closed = false;

  static async open(options: PumpOptions): Promise<Pump> {
    const pump = new Pump(options);
    try {
      pump.#wake = await Wake.open(options.library, () => pump.run());
    } catch (error) {
      pump.close();
      throw error;
    }
    pump.#wake.watch(pump.queue);
    pump.run();
    return pump;
  }

  private constructor({ library, kind, config, onEvent }: PumpOptions) {
    this.library = library;
    this.#onEvent = onEvent;
    this.client = newClient(library, kind, { ...config, "log.queue": true });
    const { native } = library;
    this.name = text(native.rd_kafka_name(this.client));
    native.rd_kafka_set_log_queue(this.client, null); // null: the main queue
    if (kind === "consumer") native.rd_kafka_poll_set_consumer(this.client);
    const queue =
      kind === "consumer"
        ? native.rd_kafka_queue_get_consumer(this.client)
        : native.rd_kafka_queue_get_main(this.client);
    this.queue = queue ?? 0;
    this.#queues.push(this.queue);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Hands events of this type to `handler`; one handler a type. */
  on(type: number, handler: EventHandler): void {
    this.#handlers.set(type, handler);
  }

  /** Opens a further queue that wakes us; `drain` is called on every wake-up and reads it until it is empty. */
  openQueue(drain: () => void): Address {
    const queue = this.library.native.rd_kafka_queue_new(this.client) ?? 0;
    this.#queues.push(queue);
    this.#drains.push(drain);
    this.#wake?.watch(queue);
    return queue;
  }

  /** Reads every queue until it is empty, or until our share of this turn is used up; then goes on in the next. */
  run(): void {
    if (this.#closed) return;
    const { native } = this.library;
    const until = performance.now() + TURN_MS;
    for (;;) {
      const event = native.rd_kafka_queue_poll(this.queue, 0);
      if (!event) break;
      try {
        this.#dispatch(event);
      } finally {
        native.rd_kafka_event_destroy(event);
      }
      if (this.#closed) return;
      if (performance.now() > until) {
        this.#again();
        break;
      }
    }
    for (const drain of this.#drains) drain();
  }

  /**
   * Ends the client: blocks for milliseconds. The owner has flushed or left the group, and destroyed every native
   * object of its own before. Idempotent.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const queue of this.#queues) this.library.native.rd_kafka_queue_destroy(queue);
    destroyClient(this.library, this.client);
    this.#wake?.close();
  }

  #dispatch(event: Address): void {
    const type = this.library.native.rd_kafka_event_type(event);
    const handler = this.#handlers.get(type);
    if (handler) {
      handler(event);
      return;
    }
    const own = readClientEvent(this.library, event, type);
    if (own) this.#onEvent(own);
  }

  #again(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.run();
    });
  }
}

/** The longest that one turn of the event loop is ours, in ms. */
const TURN_MS = 4;
