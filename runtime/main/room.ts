/**
 * How full an embedded broker is. The mock keeps about 5 MiB or 100,000 records a partition and drops older ones without a
 * word, so new questions stop at half of that, counted over all processes: end of the log minus lowest commit.
 *
 * In: a bus, the groups that read. Out: yes or no, from a measurement at most half a second old.
 * Never here: a real broker. It has room as long as its disk has.
 */
import type { Bus, GroupTopics } from "../bus/bus.ts";
import { pause, type Clock } from "../ground/clock.ts";
import { messageOf } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";

export interface Room {
  hasRoom(): boolean;
  /** A record of so many bytes was published or read on this topic. */
  seen(topic: string, bytes: number): void;
  stop(): Promise<void>;
}

export interface RoomOptions {
  readonly bus: Pick<Bus, "backlog">;
  readonly groups: readonly GroupTopics[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Half of what the mock keeps in one partition. */
const ROOM_BYTES = (5 * 1024 * 1024) / 2;
const ROOM_RECORDS = 50_000;
const MEASURE_EVERY_MS = 500;
/** Assumed for topics of which no record was seen yet. */
const UNSEEN_RECORD_BYTES = 4_096;
/** Envelope, framing and batch headers of one record, generously. */
const OVERHEAD_BYTES = 512;

export function meterRoom({ bus, groups, clock, log }: RoomOptions): Room {
  const largest = new Map<string, number>();
  const stop = new AbortController();
  let room = true;
  const measure = async () => {
    const backlog = await bus.backlog(groups);
    room = backlog.every(({ topic, records }) => {
      const bytes = (largest.get(topic) ?? UNSEEN_RECORD_BYTES) + OVERHEAD_BYTES;
      return records < ROOM_RECORDS && records * bytes < ROOM_BYTES;
    });
  };
  const loop = (async () => {
    while (!stop.signal.aborted) {
      await measure().catch((error: unknown) => log.debug("room not measured", { error: messageOf(error) }));
      await pause(clock, MEASURE_EVERY_MS, stop.signal);
    }
  })();
  return {
    hasRoom: () => room,
    seen(topic, bytes) {
      if (bytes > (largest.get(topic) ?? 0)) largest.set(topic, bytes);
    },
    async stop() {
      stop.abort();
      await loop;
    },
  };
}
