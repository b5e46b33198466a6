/**
 * When results become visible to a reader of committed records.
 *
 * In: topics, and ids that are waited for. Out: promises and waiting times. Never here: who makes the results.
 */
import { systemClock, pause } from "cauce";
import type { Bus, Subscription } from "../../runtime/bus/bus.ts";
import { readEnvelope } from "../../runtime/engine/envelope.ts";
import { join } from "../../tests/bus/owner.ts";
import type { AnsweredMessage } from "./messages.ts";

const WITHIN_MS = 120_000;

export class Arrivals {
  readonly #subscription: Subscription;
  readonly #waiting = new Map<string, (atMs: number) => void>();
  readonly #loop: Promise<void>;

  static async open(bus: Bus, topics: readonly string[]): Promise<Arrivals> {
    const { subscription } = await join(bus, {
      group: `arrivals-${crypto.randomUUID()}`,
      topics: [...topics],
    });
    return new Arrivals(subscription);
  }

  private constructor(subscription: Subscription) {
    this.#subscription = subscription;
    this.#loop = this.#read();
  }

  /** Resolves when one of each list of ids has come. @throws Error after two minutes. */
  async all(lists: readonly (readonly string[])[]): Promise<void> {
    await Promise.all(lists.map((ids) => this.#one(ids)));
  }

  /** Publishes at a rate; answers how long each took to be visible, in ms, the shortest first. */
  async paced(bus: Bus, messages: readonly AnsweredMessage[], perSecond: number): Promise<readonly number[]> {
    const startMs = performance.now();
    const waits: Promise<number>[] = [];
    for (const [index, { record, outputIds }] of messages.entries()) {
      const dueMs = startMs + (index * 1_000) / perSecond;
      await pause(systemClock, Math.max(0, dueMs - performance.now()));
      const sentMs = performance.now();
      waits.push(this.#one(outputIds).then((atMs) => atMs - sentMs));
      await bus.publish([record]);
    }
    return (await Promise.all(waits)).toSorted((a, b) => a - b);
  }

  async close(): Promise<void> {
    await this.#subscription.close();
    await this.#loop;
  }

  #one(ids: readonly string[]): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const late = setTimeout(
      () => reject(new Error(`a result did not come within ${WITHIN_MS} ms`)),
      WITHIN_MS,
    );
    for (const id of ids) this.#waiting.set(id, resolve);
    return promise.finally(() => {
      clearTimeout(late);
      for (const id of ids) this.#waiting.delete(id);
    });
  }

  async #read(): Promise<void> {
    for (;;) {
      const records = await this.#subscription.take(1_000);
      if (records.length === 0) return;
      const nowMs = performance.now();
      for (const record of records) this.#waiting.get(readEnvelope(record).id)?.(nowMs);
    }
  }
}
