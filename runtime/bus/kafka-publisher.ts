/**
 * Publishes over producers that come and go: one for all, and one whose batches hold a single record each.
 *
 * In: how a producer is opened. Out: acknowledged positions. A producer that failed for good is replaced. What a broker refuses for
 * the size of its batch goes again, each record in a batch of its own: only then `record_too_large` is about a record.
 * Never here: a repeat of what is acknowledged.
 */
import { type Producer, RefusedTogether } from "../kafka/index.ts";
import type { OutgoingRecord, Positions, RecordPosition } from "./bus.ts";

export interface KafkaPublisherOptions {
  /** `batchRecords`: most records of one batch, where it is not librdkafka's own choice. */
  readonly open: (options: { readonly batchRecords?: number }) => Promise<Producer>;
}

export class KafkaPublisher {
  readonly #together: SharedProducer;
  readonly #apart: SharedProducer;

  constructor({ open }: KafkaPublisherOptions) {
    this.#together = new SharedProducer(() => open({}));
    this.#apart = new SharedProducer(() => open({ batchRecords: 1 }));
  }

  /** Connects; otherwise the first `publish` would. */
  async start(): Promise<void> {
    await this.#together.open();
  }

  /** As `Bus.publish`. */
  async publish(records: readonly OutgoingRecord[]): Promise<Positions> {
    try {
      return await this.#together.produce(records);
    } catch (error) {
      if (!(error instanceof RefusedTogether)) throw error;
      const { left, positions } = error;
      const again = left.flatMap((index) => records[index] ?? []);
      return mergedPositions({ positions, left, apart: await this.#apart.produce(again) });
    }
  }

  async close(flushMs?: number): Promise<void> {
    await Promise.all([this.#together.close(flushMs), this.#apart.close(flushMs)]);
  }
}

class SharedProducer {
  readonly #open: () => Promise<Producer>;
  #producer: Promise<Producer> | undefined;

  constructor(open: () => Promise<Producer>) {
    this.#open = open;
  }

  /** The living producer, a new one where the last one failed for good. */
  async open(): Promise<Producer> {
    const opening = (this.#producer ??= this.#open());
    const producer = await opening;
    if (producer.fatal === undefined) return producer;
    if (this.#producer === opening) {
      this.#producer = this.#open();
      await producer.close(0);
    }
    return this.open();
  }

  async produce(records: readonly OutgoingRecord[]): Promise<Positions> {
    return (await this.open()).produce(records);
  }

  async close(flushMs?: number): Promise<void> {
    const producer = await this.#producer?.catch(() => undefined);
    await producer?.close(flushMs);
  }
}

/** In the order given: those that went again lie where the second try put them. */
function mergedPositions(parts: {
  readonly positions: Positions;
  readonly left: readonly number[];
  readonly apart: Positions;
}): readonly RecordPosition[] {
  const { positions, left, apart } = parts;
  const merged = new Map<number, RecordPosition | undefined>([...positions].entries());
  for (const [at, index] of left.entries()) merged.set(index, apart.at(at));
  return [...merged].toSorted(([a], [b]) => a - b).flatMap(([, position]) => position ?? []);
}
