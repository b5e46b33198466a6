/**
 * Where a group stands in the partitions of one member, and how far that is from their ends.
 *
 * In: what was committed. Out: lag, from what librdkafka has heard of the ends: no broker is asked.
 */
import type { TopicPartition } from "../bus/bus.ts";
import { keyOf } from "./partitions.ts";
import type { Pump } from "./pump.ts";
import { cString, scratch } from "./symbols.ts";

export class Positions {
  readonly #pump: Pump;
  readonly #committed = new Map<string, number | undefined>();

  constructor(pump: Pump) {
    this.#pump = pump;
  }

  /** The group has committed this; undefined: nothing yet. */
  set({ topic, partition, offset }: TopicPartition & { readonly offset: number | undefined }): void {
    this.#committed.set(keyOf(topic, partition), offset);
  }

  /** Records between the group's position and the partition's end; -1 where unknown. */
  lagOf({ topic, partition }: TopicPartition): number {
    const { library, client } = this.#pump;
    if (this.#pump.closed) return -1;
    const edges = scratch(16);
    library.native.rd_kafka_get_watermark_offsets(
      client,
      cString(topic),
      partition,
      edges.address,
      edges.address + 8,
    );
    const first = Number(edges.view.getBigInt64(0, true));
    const end = Number(edges.view.getBigInt64(8, true));
    const position = this.#committed.get(keyOf(topic, partition)) ?? first;
    return end < 0 || position < 0 ? -1 : Math.max(0, end - position);
  }
}
