/**
 * Reads a topic of the pipeline from its beginning and keeps what it saw.
 *
 * In: a bus, a topic. Out: sightings, and a promise for the moment at which enough was seen. Never here: judging.
 */
import type { Sighting } from "cauce/testing";
import type { Bus, IncomingRecord, Subscription } from "../../runtime/bus/bus.ts";
import { readEnvelope } from "../../runtime/engine/envelope.ts";
import { join } from "../bus/owner.ts";
import { markOf, publishMarks } from "../bus/whole-topic.ts";
import type { Numbered } from "./pipeline.ts";

export interface Seen extends Sighting {
  readonly value: Numbered;
  /** The publisher's clock when the record was made, in ms since 1970. */
  readonly publishedMs: number;
}

export class TopicReader {
  readonly sightings: Seen[] = [];
  readonly ids = new Set<string>();
  /** Of all marks that lie behind what was read. */
  readonly #marks = new Set<string>();
  readonly #topic: string;
  readonly #partitions: number;
  readonly #subscription: Subscription;
  readonly #looks = new Set<() => void>();
  readonly #loop: Promise<void>;

  static async open(bus: Bus, topic: string): Promise<TopicReader> {
    const { subscription, owner } = await join(bus, { group: `reader-${topic}`, topics: [topic] });
    return new TopicReader({ topic, subscription, partitions: owner.owned.size });
  }

  private constructor(of: { topic: string; subscription: Subscription; partitions: number }) {
    this.#topic = of.topic;
    this.#partitions = of.partitions;
    this.#subscription = of.subscription;
    this.#loop = this.#read();
  }

  /** Resolves when `holds` is true after something was read; rejects with `what` once nothing new has come for `idleMs`. */
  until(what: string, holds: () => boolean, idleMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const idle = setTimeout(() => reject(new Error(`waited in vain: ${what}`)), idleMs);
    let known = this.#known;
    const look = () => {
      if (holds()) resolve();
      // A slow machine is no standstill: whatever still comes extends the wait. A repeat does not, or one without end would for ever.
      if (this.#known > known) idle.refresh();
      known = this.#known;
    };
    this.#looks.add(look);
    look();
    return promise.finally(() => {
      clearTimeout(idle);
      this.#looks.delete(look);
    });
  }

  get #known(): number {
    return this.ids.size + this.#marks.size;
  }

  /** Resolves once everything was read that lies on the topic now: a repeat may lie behind the last message that is waited for. */
  async toTheEnd(bus: Bus, idleMs: number): Promise<void> {
    const marks = await publishMarks(bus, { topic: this.#topic, partitions: this.#partitions });
    await this.until("the end", () => marks.isSubsetOf(this.#marks), idleMs);
  }

  async close(): Promise<void> {
    await this.#subscription.close();
    await this.#loop;
  }

  async #read(): Promise<void> {
    for (;;) {
      const records = await this.#subscription.take(500);
      if (records.length === 0) return;
      for (const record of records) {
        const mark = markOf(record);
        if (mark !== null) {
          this.#marks.add(mark);
          continue;
        }
        const sighting = seen(record);
        this.sightings.push(sighting);
        this.ids.add(sighting.id);
      }
      for (const look of this.#looks) look();
    }
  }
}

function seen(record: IncomingRecord): Seen {
  const value = JSON.parse(new TextDecoder().decode(record.value ?? new Uint8Array())) as Numbered;
  const { key, seq } = value;
  const { partition, offset, timestampMs } = record;
  return { id: readEnvelope(record).id, key, seq, partition, offset, value, publishedMs: timestampMs };
}
