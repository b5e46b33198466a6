/**
 * What a broker answers per topic.
 *
 * In: a native array of results. Out: plain values, a refusal in words among them. Never here: what was asked.
 */
import { ERROR, errorName } from "./failures.ts";
import { eachPointer } from "./pointers.ts";
import { type Address, type Library, scratch, text } from "./symbols.ts";

export interface TopicAnswer {
  readonly name: string;
  /** librdkafka's number: 0 done, `ERROR.topicExists`, `ERROR.unknownTopicOrPartition`, … */
  readonly err: number;
  /** The refusal in words; empty where there is none. */
  readonly detail: string;
}

/** Reads results that `results` answers; it writes their number where it is told to. */
export function readTopicAnswers(library: Library, results: (count: Address) => Address): TopicAnswer[] {
  const { native } = library;
  const count = scratch(8);
  return eachPointer(results(count.address), count.view).map((topic) => {
    const err = native.rd_kafka_topic_result_error(topic);
    const detail = text(native.rd_kafka_topic_result_error_string(topic));
    return {
      name: text(native.rd_kafka_topic_result_name(topic)),
      err,
      detail: err === ERROR.none ? "" : detail || errorName(library, err),
    };
  });
}
