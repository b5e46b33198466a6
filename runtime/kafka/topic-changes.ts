/**
 * Changes of topics that exist: more partitions, fewer records.
 *
 * In: a topic and what it should become. Out: what the broker did, per topic or partition. Never here: a way back.
 */
import type { TopicPartition } from "../bus/bus.ts";
import { EVENT } from "./client.ts";
import { ERROR, errorName } from "./failures.ts";
import { type ReadPartition, readList, withList } from "./partitions.ts";
import { pointerArray } from "./pointers.ts";
import type { Pump } from "./pump.ts";
import type { Requests } from "./requests.ts";
import { cString, type Library, scratch, text } from "./symbols.ts";
import { readTopicAnswers, type TopicAnswer } from "./topic-answers.ts";

interface ChangeQuestion {
  readonly pump: Pump;
  readonly requests: Requests;
  readonly timeoutMs: number;
}

/** What became of the records of one partition. */
export interface DeletedRecords extends TopicPartition {
  readonly err: number;
  /** The first offset that is still there; undefined where the broker refused. */
  readonly firstOffset: number | undefined;
  /** The refusal in words; empty where there is none. */
  readonly detail: string;
}

/** See `Admin.createPartitions`. */
export async function createPartitions(
  question: ChangeQuestion & { readonly topic: string; readonly partitions: number },
): Promise<TopicAnswer> {
  const { pump, requests, timeoutMs, topic, partitions } = question;
  const { library, client, queue } = pump;
  const { native } = library;
  const reason = scratch(256);
  const grown = native.rd_kafka_NewPartitions_new(cString(topic), partitions, reason.address, 256) ?? 0;
  if (grown === 0) return { name: topic, err: ERROR.invalidArgument, detail: text(reason.address) };
  const array = pointerArray([grown]);
  const [answer] = await requests.ask({
    answeredBy: EVENT.createPartitions,
    what: `create partitions of ${topic}`,
    timeoutMs,
    start: (options) => {
      native.rd_kafka_CreatePartitions(client, array.address, 1, options, queue);
      native.rd_kafka_NewPartitions_destroy(grown);
    },
    read: (event) => {
      const result = native.rd_kafka_event_CreatePartitions_result(event) ?? 0;
      return readTopicAnswers(
        library,
        (count) => native.rd_kafka_CreatePartitions_result_topics(result, count) ?? 0,
      );
    },
  });
  return answer ?? { name: topic, err: ERROR.unknownTopic, detail: "the broker said nothing of this topic" };
}

/** See `Admin.deleteRecords`. */
export function deleteRecords(
  question: ChangeQuestion & { readonly before: readonly (TopicPartition & { readonly offset: number })[] },
): Promise<DeletedRecords[]> {
  const { pump, requests, timeoutMs, before } = question;
  const { library, client, queue } = pump;
  const { native } = library;
  if (before.length === 0) return Promise.resolve([]);
  return requests.ask({
    answeredBy: EVENT.deleteRecords,
    what: "delete records",
    timeoutMs,
    start: (options) => {
      const handle = withList(library, before, (list) => native.rd_kafka_DeleteRecords_new(list) ?? 0);
      const array = pointerArray([handle]);
      native.rd_kafka_DeleteRecords(client, array.address, 1, options, queue);
      native.rd_kafka_DeleteRecords_destroy(handle);
    },
    read: (event) => {
      const result = native.rd_kafka_event_DeleteRecords_result(event) ?? 0;
      const offsets = readList(native.rd_kafka_DeleteRecords_result_offsets(result) ?? 0);
      return offsets.map((entry) => deletedRecords(library, entry));
    },
  });
}

function deletedRecords(library: Library, { topic, partition, offset, err }: ReadPartition): DeletedRecords {
  if (err === ERROR.none) return { topic, partition, err, firstOffset: offset, detail: "" };
  return { topic, partition, err, firstOffset: undefined, detail: errorName(library, err) };
}
