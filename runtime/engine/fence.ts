/**
 * Keeps the later messages of a key back while one of its messages waits for its retry.
 *
 * In: messages that are about to run, and those that must wait. Out: which may run. What is fenced is kept in memory, read at
 * each assignment and whenever another process says so, so a message of a free key costs no query. Never here: the order at
 * a fence (the store's), retry rules, lanes.
 */
import type { IncomingRecord } from "../bus/bus.ts";
import { messageOf } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";
import type { Fences } from "../store/fences.ts";
import type { ScheduledMessage, Store } from "../store/store.ts";
import { withCounters, type Envelope } from "./envelope.ts";
import { LIMITS } from "./limits.ts";
import type { HandlerNames } from "./names.ts";

export interface FenceOptions {
  readonly handler: string;
  readonly names: Pick<HandlerNames, "retryTopic">;
  readonly fences: Fences;
  readonly log: Log;
}

/**
 * `run`: nothing holds it. `without_place`: the same, and the place that it brought is none any more. `elsewhere`: it waits, or is
 * through already, and must not run now. `full`: it must be asked again.
 */
export type Admission = "run" | "without_place" | "elsewhere" | "full";

export class Fence {
  readonly #options: FenceOptions;
  /** Fenced keys as Latin-1, or null while there are too many to remember: then each message asks. */
  #keys: Set<string> | null = new Set();
  /** Keys that were fenced while they were being read. */
  #raisedMeanwhile: string[] | null = null;
  #reading: Promise<void> | null = null;
  #readAgain = false;
  readonly #end: () => void;

  constructor(options: FenceOptions) {
    this.#options = options;
    this.#end = options.fences.onRaised(options.handler, () => this.read());
  }

  /** How many keys are held back, as far as this process knows; -1 where there are too many to remember. */
  get size(): number {
    return this.#keys?.size ?? -1;
  }

  /** Reads what is fenced anew: partitions became ours, or another process raised a fence. Messages are admitted afterwards. */
  read(): void {
    this.#readAgain = true;
    this.#reading ??= this.#readAll().finally(() => (this.#reading = null));
  }

  stop(): void {
    this.#end();
  }

  /** May this message run now? Without a fence on its key the answer needs no query. @throws as the store */
  admit(record: IncomingRecord, envelope: Envelope): Admission | Promise<Admission> {
    if (record.key === null) return "run";
    if (envelope.place !== null) return this.#takeTurn(record, envelope.place);
    if (this.#reading !== null) return this.#reading.then(() => this.admit(record, envelope));
    const key = keyName(record.key);
    return this.#keys === null || this.#keys.has(key) ? this.#hold(key, record, envelope) : "run";
  }

  /** Is its key free, as far as is known here, and does it bring no place? Then it runs without being admitted. */
  passes({ key }: IncomingRecord, { place }: Envelope): boolean {
    if (key === null) return true;
    if (place !== null || this.#reading !== null || this.#keys === null) return false;
    return this.#keys.size === 0 || !this.#keys.has(keyName(key));
  }

  /** The store as *settle* sees it: a retry that has no place yet fences its key; all else is written as ever. */
  over(store: Pick<Store, "schedule" | "bury">): Pick<Store, "schedule" | "bury"> {
    return {
      bury: (letters) => store.bury(letters),
      schedule: async (messages) => {
        const fencing = messages.filter(({ kind, place, record }) => {
          return kind === "retry" && place === undefined && record.key !== null;
        });
        const others = messages.filter((message) => !fencing.includes(message));
        const written = others.length > 0 ? await store.schedule(others) : 0;
        return written + (fencing.length > 0 ? await this.#raise(fencing) : 0);
      },
    };
  }

  /** A message is through, for good: the next one of its key goes. @throws as the store */
  async pass({ place }: Envelope): Promise<void> {
    if (place !== null) await this.#options.fences.pass(place);
  }

  async #raise(messages: readonly ScheduledMessage[]): Promise<number> {
    const standings = await this.#options.fences.raise(messages);
    for (const { record } of messages) if (record.key !== null) this.#remember(keyName(record.key));
    return standings.filter((standing) => standing !== "known").length;
  }

  async #takeTurn(record: IncomingRecord, place: NonNullable<Envelope["place"]>): Promise<Admission> {
    const standing = await this.#options.fences.takeTurn(place);
    if (standing === "free") return "run";
    if (standing === "gone") return "without_place";
    if (record.key !== null) this.#remember(keyName(record.key));
    return "elsewhere";
  }

  async #hold(key: string, record: IncomingRecord, envelope: Envelope): Promise<Admission> {
    const delivery = envelope.delivery + 1;
    const { attempts, deferrals, bornAtMs, id } = envelope;
    const standing = await this.#options.fences.hold({
      handler: this.#options.handler,
      messageId: id,
      delivery,
      record: {
        topic: this.#options.names.retryTopic,
        key: record.key,
        value: record.value,
        headers: withCounters(record, envelope, { attempts, deferrals, delivery }),
      },
      kind: "retry",
      reason: "held",
      error: "",
      attempts,
      deferrals,
      delayMs: 0,
      bornAtMs,
      ...(envelope.schema > 1 && { version: envelope.schema }),
    });
    if (standing === "free") {
      this.#keys?.delete(key);
      return "run";
    }
    return standing === "full" ? "full" : "elsewhere";
  }

  #remember(key: string): void {
    this.#raisedMeanwhile?.push(key);
    this.#keys?.add(key);
    // Keys whose fences fell elsewhere leave when a message asks, and all of them when they become many.
    if (this.#keys !== null && this.#keys.size > LIMITS.fencedKeys) this.read();
  }

  async #readAll(): Promise<void> {
    const { handler, fences, log } = this.#options;
    while (this.#readAgain) {
      this.#readAgain = false;
      this.#raisedMeanwhile = [];
      try {
        const keys = await fences.keys(handler, LIMITS.fencedKeys);
        this.#keys = keys === null ? null : new Set([...keys.map(keyName), ...this.#raisedMeanwhile]);
      } catch (error) {
        // Without an answer every message asks: the database is away, so they wait there.
        this.#keys = null;
        log.warn("what is fenced could not be read; every message asks", {
          handler,
          error: messageOf(error),
        });
      } finally {
        this.#raisedMeanwhile = null;
      }
    }
  }
}

function keyName(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
