/**
 * What an operator asks of a cluster: topics, partitions, offsets, groups.
 *
 * In: names and counts. Out: one answer per topic, partition or group; what the broker refuses is data, not an exception.
 * Never here: a wait inside librdkafka. How groups and offsets are asked for is in groups.ts and offsets.ts.
 */
import type { TopicPartition } from "../bus/bus.ts";
import { type ClientConfig, EVENT } from "./client.ts";
import type { ClientEvent } from "./events.ts";
import { ERROR, errorName } from "./failures.ts";
import { describeGroups, type GroupDescription, type GroupListing, listGroups } from "./groups.ts";
import { GroupAsker } from "./group-asker.ts";
import { edgeOffsets, OFFSET_ANSWERS } from "./offsets.ts";
import type { PartitionEntry } from "./partitions.ts";
import { eachPointer, nativeText, pointerArray } from "./pointers.ts";
import { Pump } from "./pump.ts";
import { Requests } from "./requests.ts";
import { createPartitions, type DeletedRecords, deleteRecords } from "./topic-changes.ts";
import { readTopicAnswers, type TopicAnswer } from "./topic-answers.ts";
import { type Address, cString, type Library, scratch, text } from "./symbols.ts";

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

export interface TopicDescription extends TopicAnswer {
  /** 0 where the topic could not be described. */
  readonly partitions: number;
}

const ANSWERS = [
  EVENT.createTopics,
  EVENT.deleteTopics,
  EVENT.describeTopics,
  EVENT.createPartitions,
  EVENT.deleteRecords,
  EVENT.listGroups,
  EVENT.describeGroups,
  ...OFFSET_ANSWERS,
] as const;

export class Admin {
  readonly #pump: Pump;
  readonly #groups: GroupAsker;
  readonly #requests: Requests;
  readonly #timeoutMs: number;

  static async open({
    library,
    config,
    timeoutMs = 10_000,
    onEvent = () => undefined,
  }: AdminOptions): Promise<Admin> {
    const client = { library, config: { "reconnect.backoff.max.ms": 2_000, ...config }, onEvent };
    const pump = await Pump.open({ ...client, kind: "producer" });
    return new Admin(pump, new GroupAsker({ ...client, timeoutMs }), timeoutMs);
  }

  private constructor(pump: Pump, groups: GroupAsker, timeoutMs: number) {
    this.#pump = pump;
    this.#groups = groups;
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
        return readTopicAnswers(
          this.#pump.library,
          (count) => native.rd_kafka_CreateTopics_result_topics(result, count) ?? 0,
        );
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
        return readTopicAnswers(
          this.#pump.library,
          (count) => native.rd_kafka_DeleteTopics_result_topics(result, count) ?? 0,
        );
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
        const texts = names.map((name) => nativeText(name));
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

  /**
   * Grows a topic to `partitions` in all. Keys land elsewhere from then on: their order across the change is lost.
   * A number that is not larger is refused.
   */
  createPartitions(topic: string, partitions: number): Promise<TopicAnswer> {
    return createPartitions({ ...this.#question, topic, partitions });
  }

  /** Drops the records below `offset` of each partition, for good. */
  deleteRecords(
    before: readonly (TopicPartition & { readonly offset: number })[],
  ): Promise<DeletedRecords[]> {
    return deleteRecords({ ...this.#question, before });
  }

  /** The consumer groups that the brokers know, with and without members. */
  listGroups(): Promise<GroupListing[]> {
    return listGroups(this.#question);
  }

  /** Who is in each group and owns what. A group that does not exist is `Dead`, or refused with a number. */
  describeGroups(groups: readonly string[]): Promise<GroupDescription[]> {
    return describeGroups({ ...this.#question, groups });
  }

  /** The first (`earliest`) or next (`latest`) offset of each partition. */
  listOffsets(partitions: readonly TopicPartition[], edge: "earliest" | "latest"): Promise<PartitionEntry[]> {
    return edgeOffsets({ ...this.#question, partitions, edge });
  }

  /** What a group has committed; `offset` undefined where it has nothing. */
  committedOffsets(group: string, partitions: readonly TopicPartition[]): Promise<PartitionEntry[]> {
    if (partitions.length === 0) return Promise.resolve([]);
    return this.#groups.committedOffsets(group, partitions);
  }

  /** Rejects what waits and ends the client. Idempotent. */
  close(): void {
    this.#requests.close();
    this.#pump.close();
    this.#groups.close();
  }

  get #question() {
    return { pump: this.#pump, requests: this.#requests, timeoutMs: this.#timeoutMs };
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
}
