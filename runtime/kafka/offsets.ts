/**
 * Offsets that the broker knows: what a group has committed, where a partition begins and ends.
 *
 * In: partitions. Out: their offsets. Never here: a wait inside librdkafka (`rd_kafka_committed` and
 * `rd_kafka_query_watermark_offsets` block, so they are not used).
 */
import { EVENT } from "./client.ts";
import { requestFailure, throwLentError } from "./failures.ts";
import {
  type PartitionEntry,
  type ReadPartition,
  readList,
  readPartition,
  START,
  withList,
} from "./partitions.ts";
import type { Pump } from "./pump.ts";
import type { Requests } from "./requests.ts";
import { type Address, cString, readAddress, scratch } from "./symbols.ts";

/** What `Requests` must be told to listen for. */
export const OFFSET_ANSWERS = [EVENT.groupOffsets, EVENT.listOffsets] as const;

export interface OffsetQuestion {
  readonly pump: Pump;
  readonly requests: Requests;
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
  /** How long the broker may take, in ms. */
  readonly timeoutMs: number;
}

/** The group's committed offsets with their metadata; `offset` undefined where there is none. */
export function committedOffsets(
  question: OffsetQuestion & { readonly group: string },
): Promise<ReadPartition[]> {
  const { pump, requests, group, partitions, timeoutMs } = question;
  const { library } = pump;
  const { native } = library;
  return requests.ask({
    answeredBy: EVENT.groupOffsets,
    what: `the committed offsets of group ${group}`,
    timeoutMs,
    stableOffsets: true,
    start: (options) =>
      withList(library, partitions, (list) => {
        const request = native.rd_kafka_ListConsumerGroupOffsets_new(cString(group), list) ?? 0;
        const requestList = pointerCell(request);
        native.rd_kafka_ListConsumerGroupOffsets(pump.client, requestList.address, 1, options, pump.queue);
        native.rd_kafka_ListConsumerGroupOffsets_destroy(request);
      }),
    read: (event) => {
      const result = native.rd_kafka_event_ListConsumerGroupOffsets_result(event) ?? 0;
      const count = scratch(8);
      const groups = native.rd_kafka_ListConsumerGroupOffsets_result_groups(result, count.address) ?? 0;
      const first = readAddress(groups, 0);
      throwLentError(
        library,
        native.rd_kafka_group_result_error(first),
        `the committed offsets of group ${group}`,
      );
      return checked(native.rd_kafka_group_result_partitions(first) ?? 0);
    },
  });

  function checked(list: Address): ReadPartition[] {
    const entries = readList(list);
    const failed = entries.find((entry) => entry.err !== 0);
    if (failed)
      throw requestFailure(
        library,
        failed.err,
        `the committed offset of ${failed.topic} ${failed.partition}`,
      );
    return entries;
  }
}

/** As `edgeEntries`. @throws CauceError where it fails for any of them */
export async function edgeOffsets(
  question: OffsetQuestion & { readonly edge: "earliest" | "latest" },
): Promise<PartitionEntry[]> {
  const entries = await edgeEntries(question);
  for (const { err, topic, partition } of entries) {
    if (err === 0) continue;
    const what = `the ${question.edge} offset of ${topic} ${partition}`;
    throw requestFailure(question.pump.library, err, what);
  }
  return entries;
}

/** Where a partition begins or ends, and in which epoch its leader leads it (-1 where unknown); or why that is not known. */
export interface EdgeEntry extends ReadPartition {
  readonly leaderEpoch: number;
}

/** `earliest`: the first offset that is still there; `latest`: the next one to be written. What fails for one partition is said in its entry. */
export function edgeEntries(
  question: OffsetQuestion & { readonly edge: "earliest" | "latest" },
): Promise<EdgeEntry[]> {
  const { pump, requests, partitions, edge, timeoutMs } = question;
  const { library } = pump;
  const { native } = library;
  return requests.ask({
    answeredBy: EVENT.listOffsets,
    what: `the ${edge} offsets`,
    timeoutMs,
    start: (options) => {
      const entries = partitions.map((partition) => ({ ...partition, offset: START[edge] }));
      withList(library, entries, (list) =>
        native.rd_kafka_ListOffsets(pump.client, list, options, pump.queue),
      );
    },
    read: (event) => {
      const result = native.rd_kafka_event_ListOffsets_result(event) ?? 0;
      const count = scratch(8);
      const infos = native.rd_kafka_ListOffsets_result_infos(result, count.address) ?? 0;
      return Array.from({ length: Number(count.view.getBigUint64(0, true)) }, (_, at) => {
        const info = readAddress(infos, at * 8);
        const partition = native.rd_kafka_ListOffsetsResultInfo_topic_partition(info) ?? 0;
        const leaderEpoch = native.rd_kafka_topic_partition_get_leader_epoch(partition);
        return { ...readPartition(partition), leaderEpoch };
      });
    },
  });
}

/** A C array of one pointer. */
function pointerCell(address: Address) {
  const cell = scratch(8);
  cell.view.setBigUint64(0, BigInt(address), true);
  return cell;
}
