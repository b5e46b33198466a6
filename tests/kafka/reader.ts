/**
 * A member of a group for tests of the binding: joins, reads, and tells what happened to it.
 *
 * In: where and what to read. Out: a consumer with the partitions it was told of. Never here: the bus.
 */
import type { BusTrouble, IncomingRecord, TopicPartition } from "../../runtime/bus/bus.ts";
import { CauceError } from "../../runtime/ground/errors.ts";
import {
  type Admin,
  type ClientConfig,
  Consumer,
  type ConsumerOptions,
  type Library,
  type StartedPartition,
} from "../../runtime/kafka/index.ts";

export interface Reader {
  readonly consumer: Consumer;
  readonly started: readonly StartedPartition[];
  readonly troubles: readonly BusTrouble[];
  /** Waits for `count` records. */
  read(count: number): Promise<IncomingRecord[]>;
}

/** Joins a group and waits until it was told what it owns (nothing is an answer too). */
export async function joinAs(options: {
  readonly library: Library;
  readonly config: ClientConfig;
  readonly group: string;
  readonly topic: string;
  readonly more?: Partial<ConsumerOptions>;
}): Promise<Reader> {
  const { library, config, group, topic, more } = options;
  const assigned = Promise.withResolvers<void>();
  const started: StartedPartition[] = [];
  const troubles: BusTrouble[] = [];
  const consumer = await Consumer.open({
    library,
    config,
    group,
    topics: [topic],
    startAt: "earliest",
    drainMs: 1_000,
    assigned: (partitions) => {
      started.push(...partitions);
      if (partitions.length > 0) assigned.resolve();
    },
    revoked: (_partitions: readonly TopicPartition[]) => Promise.resolve(),
    lost: () => undefined,
    troubled: (trouble) => troubles.push(trouble),
    ...more,
  });
  await assigned.promise;
  return {
    consumer,
    started,
    troubles,
    async read(count) {
      const records: IncomingRecord[] = [];
      while (records.length < count) records.push(...(await consumer.take(count - records.length)));
      return records;
    },
  };
}

/** What a group has committed of a partition, once no transaction on it is pending. */
export async function settledOffset(
  admin: Admin,
  { group, topic, partition = 0 }: { group: string; topic: string; partition?: number },
): Promise<number | undefined> {
  for (;;) {
    try {
      const [found] = await admin.committedOffsets(group, [{ topic, partition }]);
      return found?.offset;
    } catch (error) {
      if (!(error instanceof CauceError) || !error.retryable) throw error;
    }
  }
}
