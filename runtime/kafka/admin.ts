/**
 * Topics of the cluster: make, describe, delete.
 *
 * In: names and counts. Out: one answer per topic; what the broker refuses is data, not an exception.
 * Never here: a change of a topic that exists; a wait inside librdkafka.
 */
import type { TopicPartition } from "../bus/bus.ts";
import { type ClientConfig, EVENT } from "./client.ts";
import type { ClientEvent } from "./events.ts";
import { ERROR, errorName } from "./failures.ts";
import { committedOffsets, edgeOffsets, OFFSET_ANSWERS } from "./offsets.ts";
import type { PartitionEntry } from "./partitions.ts";
import { Pump } from "./pump.ts";
import { Requests } from "./requests.ts";
import { type Address, cString, type Library, readAddress, scratch, text } from "./symbols.ts";

export interface AdminOptions {
  readonly library: Library;
  /** librdkafka properties; `bootstrap.servers` at least. */
  readonly config: ClientConfig;
  /** How long the broker may take for one request, in ms. Default 10,000. */
  readonly timeoutMs?: number;
  readonly onEvent?: (event: ClientEvent) => void;
}

export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  /** Replicas of each partition; the broker's default where not given. */
  readonly replicas?: number;
  readonly config?: Readonly<Record<string, string>>;
}

export interface TopicAnswer {
  readonly name: string;
  /** librdkafka's number: 0 done, `ERROR.topicExists`, `ERROR.unknownTopicOrPartition`, … */
  readonly err: number;
  /** The refusal in words; empty where there is none. */
  readonly detail: string;
}

export interface TopicDescription extends TopicAnswer {
  /** 0 where the topic could not be described. */
  readonly partitions: number;
}

const ANSWERS = [EVENT.createTopics, EVENT.deleteTopics, EVENT.describeTopics, ...OFFSET_ANSWERS] as const;

export class Admin {
  readonly #pump: Pump;
  readonly #requests: Requests;
  readonly #timeoutMs: number;

  static async open(options: AdminOptions): Promise<Admin> {
    const pump = await Pump.open({
      library: options.library,
      kind: "producer",
      config: { "reconnect.backoff.max.ms": 2_000, ...options.config },
      onEvent: options.onEvent ?? (() => undefined),
    });
    return new Admin(pump, options.timeoutMs ?? 10_000);
  }

  private constructor(pump: Pump, timeoutMs: number) {
    this.#pump = pump;
    this.#requests = new Requests(pump, ANSWERS);
    this.#timeoutMs = timeoutMs;
  }

  /** @throws CauceError `broker` (retryable) where no broker answers in time */
  createTopics(topics: readonly NewTopic[]): Promise<TopicAnswer[]> {
    const { native } = this.#pump.library;
    const made = topics.map((topic) => this.#newTopic(topic));
    const refused = made.filter((topic): topic is TopicAnswer => typeof topic !== "number");
    const handles = made.filter((topic): topic is Address => typeof topic === "number");
    if (handles.length === 0) return Promise.resolve(refused);
    const array = pointerArray(handles);
    const asked = this.#requests.ask({
      answeredBy: EVENT.createTopics,
      what: "create topics",
      timeoutMs: this.#timeoutMs,
      start: (options) => {
        native.rd_kafka_CreateTopics(
          this.#pump.client,
          array.address,
          handles.length,
          options,
          this.#pump.queue,
        );
        for (const handle of handles) native.rd_kafka_NewTopic_destroy(handle);
      },
      read: (event) => {
        const result = native.rd_kafka_event_CreateTopics_result(event) ?? 0;
        return this.#readAnswers((count) => native.rd_kafka_CreateTopics_result_topics(result, count) ?? 0);
      },
    });
    return asked.then((answers) => [...refused, ...answers]);
  }

  /** Deletes topics with all they hold. */
  deleteTopics(names: readonly string[]): Promise<TopicAnswer[]> {
    const { native } = this.#pump.library;
    if (names.length === 0) return Promise.resolve([]);
    return this.#requests.ask({
      answeredBy: EVENT.deleteTopics,
      what: "delete topics",
      timeoutMs: this.#timeoutMs,
      start: (options) => {
        const handles = names.map((name) => native.rd_kafka_DeleteTopic_new(cString(name)) ?? 0);
        const array = pointerArray(handles);
        native.rd_kafka_DeleteTopics(
          this.#pump.client,
          array.address,
          handles.length,
          options,
          this.#pump.queue,
        );
        for (const handle of handles) native.rd_kafka_DeleteTopic_destroy(handle);
      },
      read: (event) => {
        const result = native.rd_kafka_event_DeleteTopics_result(event) ?? 0;
        return this.#readAnswers((count) => native.rd_kafka_DeleteTopics_result_topics(result, count) ?? 0);
      },
    });
  }

  describeTopics(names: readonly string[]): Promise<TopicDescription[]> {
    const { library, client, queue } = this.#pump;
    const { native } = library;
    if (names.length === 0) return Promise.resolve([]);
    return this.#requests.ask({
      answeredBy: EVENT.describeTopics,
      what: "describe topics",
      timeoutMs: this.#timeoutMs,
      start: (options) => {
        const texts = names.map((name) => scratchText(name));
        const array = pointerArray(texts.map((kept) => kept.address));
        const collection = native.rd_kafka_TopicCollection_of_topic_names(array.address, names.length) ?? 0;
        native.rd_kafka_DescribeTopics(client, collection, options, queue);
        native.rd_kafka_TopicCollection_destroy(collection);
      },
      read: (event) => {
        const result = native.rd_kafka_event_DescribeTopics_result(event) ?? 0;
        const count = scratch(8);
        const topics = native.rd_kafka_DescribeTopics_result_topics(result, count.address) ?? 0;
        return eachPointer(topics, count.view).map((topic) => {
          const error = native.rd_kafka_TopicDescription_error(topic);
          const err = error ? native.rd_kafka_error_code(error) : ERROR.none;
          const partitions = scratch(8);
          native.rd_kafka_TopicDescription_partitions(topic, partitions.address);
          return {
            name: text(native.rd_kafka_TopicDescription_name(topic)),
            err,
            detail: err === ERROR.none ? "" : errorName(library, err),
            partitions: err === ERROR.none ? Number(partitions.view.getBigUint64(0, true)) : 0,
          };
        });
      },
    });
  }

  /** The first (`earliest`) or next (`latest`) offset of each partition. */
  listOffsets(partitions: readonly TopicPartition[], edge: "earliest" | "latest"): Promise<PartitionEntry[]> {
    return edgeOffsets({
      pump: this.#pump,
      requests: this.#requests,
      partitions,
      edge,
      timeoutMs: this.#timeoutMs,
    });
  }

  /** What a group has committed; `offset` undefined where it has nothing. */
  committedOffsets(group: string, partitions: readonly TopicPartition[]): Promise<PartitionEntry[]> {
    if (partitions.length === 0) return Promise.resolve([]);
    return committedOffsets({
      pump: this.#pump,
      requests: this.#requests,
      partitions,
      group,
      timeoutMs: this.#timeoutMs,
    });
  }

  /** Rejects what waits and ends the client. Idempotent. */
  close(): void {
    this.#requests.close();
    this.#pump.close();
  }

  /** A native description of a topic to make, or why librdkafka refuses it before asking anybody. */
  #newTopic({ name, partitions, replicas = -1, config = {} }: NewTopic): Address | TopicAnswer {
    const { library } = this.#pump;
    const reason = scratch(256);
    const topic = library.native.rd_kafka_NewTopic_new(
      cString(name),
      partitions,
      replicas,
      reason.address,
      256,
    );
    if (!topic) return { name, err: ERROR.invalidArgument, detail: text(reason.address) };
    for (const [setting, value] of Object.entries(config)) {
      library.native.rd_kafka_NewTopic_set_config(topic, cString(setting), cString(value));
    }
    return topic;
  }

  #readAnswers(results: (count: Address) => Address): TopicAnswer[] {
    const { library } = this.#pump;
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
}

function pointerArray(addresses: readonly Address[]) {
  const array = scratch(Math.max(1, addresses.length) * 8);
  addresses.forEach((address, at) => array.view.setBigUint64(at * 8, BigInt(address), true));
  return array;
}

function eachPointer(array: Address, count: DataView): Address[] {
  return Array.from({ length: Number(count.getBigUint64(0, true)) }, (_, at) => readAddress(array, at * 8));
}

/** A C string with an address that stays right as long as the result is referenced. */
function scratchText(value: string) {
  const bytes = cString(value);
  const kept = scratch(bytes.byteLength);
  kept.bytes.set(bytes);
  return kept;
}
