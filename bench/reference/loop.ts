/**
 * What the loops by hand share: take, produce without waiting, commit what is acknowledged.
 *
 * In: a `HopWork`. Out: a loop. At most 8 batches of 1,000 are unacknowledged; offsets are committed after their records'
 * acknowledgement, every 250 ms, as in C. Never here: what happens to a record.
 */
import { Consumer, openLibrary, Producer, release } from "../../runtime/kafka/index.ts";
import type { HopWork } from "../harness/window.ts";

export type Taken = Awaited<ReturnType<Consumer["take"]>>[number];
export type Produced = Parameters<Producer["produce"]>[0][number];

export interface Loop {
  take(): Promise<readonly Taken[]>;
  /** Produces what became of the records taken last. Waits only while too much is unacknowledged. */
  produce(records: readonly Produced[]): Promise<void>;
  /** Waits for all acknowledgements, commits and leaves. */
  close(): Promise<void>;
}

const BATCH = 1_000;
/** More does not make it faster, and what waits must be collected: at 4 KiB, 100 batches made the JSON loop cost three times as much. */
const MOST_BATCHES = 8;

/** Opens a loop; `assigned` is called when its partitions are. */
export async function openLoop(work: HopWork, assigned: () => void = () => undefined): Promise<Loop> {
  const library = openLibrary(work.library);
  const config = { "bootstrap.servers": work.brokers };
  const producer = await Producer.open({ library, config });
  const consumer = await Consumer.open({
    library,
    config,
    group: work.group,
    topics: [work.from],
    startAt: "earliest",
    drainMs: 10_000,
    assigned,
    revoked: () => Promise.resolve(),
    lost: () => undefined,
    troubled: ({ message }) => process.stderr.write(`${message}\n`),
  });
  /** The next offset of each partition, below which all is acknowledged. */
  const finished = new Map<number, number>();
  const commit = async () => {
    const offsets = [...finished].map(([partition, offset]) => ({ topic: work.from, partition, offset }));
    finished.clear();
    if (offsets.length > 0) await consumer.commit(offsets);
  };
  const timer = setInterval(() => void commit(), work.commitEveryMs);
  const inFlight: Promise<void>[] = [];
  let taken: readonly Taken[] = [];
  return {
    take: async () => (taken = await consumer.take(BATCH)),
    async produce(records) {
      const last = new Map<number, number>();
      const of = taken;
      for (const { partition, offset } of of) last.set(partition, offset + 1);
      const before = inFlight.at(-1);
      inFlight.push(
        producer.produce(records).then(async () => {
          release(of);
          // In order: an offset is finished when everything below it is.
          await before;
          for (const [partition, offset] of last) finished.set(partition, offset);
        }),
      );
      if (inFlight.length > MOST_BATCHES) await inFlight.shift();
    },
    async close() {
      await Promise.all(inFlight);
      clearInterval(timer);
      await commit();
      await consumer.close();
      await producer.close();
    },
  };
}
