/**
 * Which log a partition's offsets count: the topic's id and the leader's epoch.
 *
 * In: partitions. Out: one text per partition; none where the broker does not tell. A topic that was deleted and made
 * anew has another id; a log whose end another leader cut off has another epoch (as has one whose leader just moved).
 */
import { messageOf } from "../ground/errors.ts";
import { EVENT } from "./client.ts";
import { ERROR } from "./failures.ts";
import { edgeEntries, OFFSET_ANSWERS, type OffsetQuestion } from "./offsets.ts";
import { keyOf } from "./partitions.ts";
import { type Address, cString, readAddress, scratch, text } from "./symbols.ts";

/** What `Requests` must be told to listen for. */
export const LIFE_ANSWERS = [...OFFSET_ANSWERS, EVENT.describeTopics] as const;

/**
 * The lives by partition, as `topic/partition` → text. What could not be asked is missing: it is told and costs no more
 * than a repeat of what was finished above a commit.
 */
export async function logLives(
  question: OffsetQuestion & { readonly failed: (message: string) => void },
): Promise<ReadonlyMap<string, string>> {
  try {
    const [ids, ends] = await Promise.all([topicIds(question), edgeEntries({ ...question, edge: "latest" })]);
    return new Map(
      ends.flatMap(({ topic, partition, err, leaderEpoch }) => {
        const id = ids.get(topic);
        return id === undefined || err !== ERROR.none
          ? []
          : [[keyOf(topic, partition), `${id}/${leaderEpoch}`]];
      }),
    );
  } catch (error) {
    question.failed(`the lives of ${question.partitions.length} logs are not known: ${messageOf(error)}`);
    return new Map();
  }
}

function topicIds({ pump, requests, partitions, timeoutMs }: OffsetQuestion): Promise<Map<string, string>> {
  const { library, client, queue } = pump;
  const { native } = library;
  const names = [...new Set(partitions.map(({ topic }) => topic))];
  return requests.ask({
    answeredBy: EVENT.describeTopics,
    what: "the ids of topics",
    timeoutMs,
    start: (options) => {
      const kept = names.map(nativeText);
      const array = scratch(names.length * 8);
      kept.forEach(({ address }, at) => array.view.setBigUint64(at * 8, BigInt(address), true));
      const collection = native.rd_kafka_TopicCollection_of_topic_names(array.address, names.length) ?? 0;
      native.rd_kafka_DescribeTopics(client, collection, options, queue);
      native.rd_kafka_TopicCollection_destroy(collection);
    },
    read: (event) => {
      const result = native.rd_kafka_event_DescribeTopics_result(event) ?? 0;
      const count = scratch(8);
      const topics = native.rd_kafka_DescribeTopics_result_topics(result, count.address) ?? 0;
      const found = Array.from({ length: Number(count.view.getBigUint64(0, true)) }, (_, at) =>
        readAddress(topics, at * 8),
      );
      return new Map(
        found.flatMap((topic) => {
          const error = native.rd_kafka_TopicDescription_error(topic);
          const id = native.rd_kafka_TopicDescription_topic_id(topic) ?? 0;
          if ((error && native.rd_kafka_error_code(error) !== ERROR.none) || id === 0) return [];
          return [[text(native.rd_kafka_TopicDescription_name(topic)), hexOf(id)]];
        }),
      );
    },
  });

  function hexOf(id: Address): string {
    return [native.rd_kafka_Uuid_most_significant_bits(id), native.rd_kafka_Uuid_least_significant_bits(id)]
      .map((bits) => BigInt.asUintN(64, bits).toString(16).padStart(16, "0"))
      .join("");
  }
}

/** A C string with an address that stays right as long as the result is referenced. */
function nativeText(value: string) {
  const bytes = cString(value);
  const kept = scratch(bytes.byteLength);
  kept.bytes.set(bytes);
  return kept;
}
