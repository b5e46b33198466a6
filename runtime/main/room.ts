/**
 * How full an embedded broker is. The mock keeps about 5 MiB or 100,000 records a partition and drops older ones without a
 * word, so new questions stop at half of that, counted over all processes: end of the log minus lowest commit.
 *
 * In: a bus, the groups that read. Out: the same bus, watched, and yes or no: from a measurement at most half a second old
 * and what this process has published since. Never here: a real broker. It has room as long as its disk has.
 */
import { bodyBytesOf } from "../ground/body-bytes.ts";
import type { Bus, GroupTopics, OutgoingRecord, RecordPosition } from "../bus/bus.ts";
import { pause, type Clock } from "../ground/clock.ts";
import { messageOf } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";

export interface Room {
  hasRoom(): boolean;
  /** The bus whose publishing is counted: to be used instead of the one that was given. */
  readonly bus: Bus;
  stop(): Promise<void>;
}

export interface RoomOptions {
  readonly bus: Bus;
  readonly groups: readonly GroupTopics[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Half of what the mock keeps in one partition. */
const ROOM_BYTES = (5 * 1024 * 1024) / 2;
const ROOM_RECORDS = 50_000;
const MEASURE_EVERY_MS = 500;
/** Assumed while no record was seen at all. */
const UNSEEN_RECORD_BYTES = 4_096;
/** Framing and batch headers of one record, generously. */
const OVERHEAD_BYTES = 512;

export function meterRoom({ bus, groups, clock, log }: RoomOptions): Room {
  /** Largest record seen, by topic; forgotten when the topic is worked off. */
  const largest = new Map<string, number>();
  /** Bytes that this process has added to a partition since the last measurement began. */
  let added = new Map<string, number>();
  const stop = new AbortController();
  let room = true;

  const noteSizes = (records: readonly OutgoingRecord[]) => {
    for (const record of records) {
      const bytes = sizeOf(record);
      if (bytes > (largest.get(record.topic) ?? 0)) largest.set(record.topic, bytes);
    }
  };
  const noteAdded = (records: readonly OutgoingRecord[], positions: readonly RecordPosition[]) => {
    for (const [index, { topic, partition }] of positions.entries()) {
      const record = records[index];
      if (record === undefined) continue;
      const name = `${topic}/${partition}`;
      const bytes = (added.get(name) ?? 0) + sizeOf(record);
      added.set(name, bytes);
      if (bytes >= ROOM_BYTES) room = false;
    }
  };
  const measure = async () => {
    const before = added;
    added = new Map();
    const backlog = await bus.backlog(groups);
    // Other processes write records that we never see. Values carry the question along, so sizes are alike.
    const unseen = Math.max(UNSEEN_RECORD_BYTES, ...largest.values());
    room = backlog.every(({ topic, partition, records }) => {
      const bytes = records * ((largest.get(topic) ?? unseen) + OVERHEAD_BYTES);
      return records < ROOM_RECORDS && bytes + (before.get(`${topic}/${partition}`) ?? 0) < ROOM_BYTES;
    });
    for (const topic of largest.keys()) {
      if (backlog.every((of) => of.topic !== topic || of.records === 0)) largest.delete(topic);
    }
  };
  const loop = (async () => {
    while (!stop.signal.aborted) {
      await measure().catch((error: unknown) => log.debug("room not measured", { error: messageOf(error) }));
      await pause(clock, MEASURE_EVERY_MS, stop.signal);
    }
  })();

  return {
    hasRoom: () => room,
    bus: {
      get description() {
        return bus.description;
      },
      get connected() {
        return bus.connected;
      },
      ensureTopics: (plans) => bus.ensureTopics(plans),
      async publish(records) {
        noteSizes(records);
        const positions = await bus.publish(records);
        noteAdded(records, [...positions]);
        return positions;
      },
      subscribe: (options) => bus.subscribe(options),
      backlog: (wanted) => bus.backlog(wanted),
      close: (...flush) => bus.close(...flush),
    },
    async stop() {
      stop.abort();
      await loop;
    },
  };
}

function sizeOf(record: OutgoingRecord): number {
  let bytes = OVERHEAD_BYTES + bodyBytesOf(record);
  for (const [name, header] of record.headers) bytes += name.length + (header?.byteLength ?? 0);
  return bytes;
}
