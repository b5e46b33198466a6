/**
 * The consumer: one member of one group, pulled by its owner.
 *
 * In: topics. Out: records in order per partition, changes of ownership, acknowledged commits.
 * Never here: automatic commits, a start that nobody chose, records of a partition that is not ours any more,
 * a call that waits inside librdkafka.
 */
import type { BusTrouble, CommittedOffset, TopicPartition } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import { Assignment } from "./assignment.ts";
import { type ConsumedRecord, decodeBatches } from "./batch.ts";
import { type ClientConfig, EVENT } from "./client.ts";
import { Commits } from "./commits.ts";
import { openCrossing } from "./choose-crossing.ts";
import { consumerConfig } from "./consumer-config.ts";
import { Troubles } from "./consumer-troubles.ts";
import type { Crossing, CrossingChoice } from "./crossing.ts";
import type { ClientEvent } from "./events.ts";
import { ERROR, requestFailure, takeError } from "./failures.ts";
import { type GroupMetadata, generationOf, readGroupMetadata } from "./group-metadata.ts";
import { leaveGroup } from "./leave-group.ts";
import { LIFE_ANSWERS } from "./log-life.ts";
import { keyOf, withList } from "./partitions.ts";
import { Positions } from "./positions.ts";
import { Pump } from "./pump.ts";
import { Requests } from "./requests.ts";
import type { StartedPartition } from "./starts.ts";
import type { Address, Library } from "./symbols.ts";
import { wakeBrokers } from "./wake-brokers.ts";

export interface ConsumerOptions {
  readonly library: Library;
  /** librdkafka properties over `CONSUMER_DEFAULTS`; `bootstrap.servers` at least. */
  readonly config: ClientConfig;
  readonly group: string;
  readonly topics: readonly string[];
  readonly startAt: "earliest" | "latest";
  readonly drainMs: number;
  /** `classic` is cooperative-sticky; `consumer` is KIP-848 and needs Kafka 4. Default classic. */
  readonly groupProtocol?: "classic" | "consumer";
  /**
   * Static membership: one name per living member, the same after its restart. Its partitions wait for it until the
   * session ends, so a member that leaves for good idles them. docs/decisions tells when that helps.
   */
  readonly groupInstanceId?: string;
  readonly crossing?: CrossingChoice;
  readonly assigned: (partitions: readonly StartedPartition[]) => void;
  readonly revoked: (partitions: readonly TopicPartition[]) => Promise<void>;
  readonly lost: (partitions: readonly TopicPartition[]) => void;
  readonly troubled: (trouble: BusTrouble) => void;
  /** Told when records may have come while nobody waits in `take`; see `takeNow`. */
  readonly arrived?: () => void;
  readonly onEvent?: (event: ClientEvent) => void;
}

/** An offset to commit with a text of ours beside it, at most 4096 bytes. */
export interface CommitEntry extends CommittedOffset {
  readonly metadata?: string;
}

export class Consumer {
  readonly #pump: Pump;
  readonly #crossing: Crossing;
  readonly #requests: Requests;
  readonly #assignment: Assignment;
  readonly #commits: Commits;
  readonly #records: Address;
  readonly #options: ConsumerOptions;
  readonly #troubles: Troubles;
  readonly #owns = (topic: string, partition: number): boolean => this.#assignment.owns(topic, partition);
  readonly #positions: Positions;
  /** librdkafka remembers across assignments that a partition was paused. */
  readonly #paused = new Set<string>();
  #keepAlive: Timer | undefined;
  #taker: { readonly most: number; resolve(records: readonly ConsumedRecord[]): void } | undefined;
  #closing: Promise<void> | undefined;

  static async open(options: ConsumerOptions): Promise<Consumer> {
    const crossing = openCrossing(options.library, options.crossing);
    const config = consumerConfig(options.config, {
      id: options.group,
      instanceId: options.groupInstanceId,
      protocol: options.groupProtocol,
    });
    let consumer: Consumer | undefined;
    // librdkafka says once that no broker can be reached, and may say so before we are there to hear it.
    const early: ClientEvent[] = [];
    const pump = await Pump.open({
      library: options.library,
      kind: "consumer",
      config,
      onEvent: (event) => {
        if (consumer === undefined) early.push(event);
        else consumer.handle(event);
      },
    });
    consumer = new Consumer(pump, crossing, options);
    for (const event of early) consumer.handle(event);
    try {
      consumer.#subscribe(Number(config["max.poll.interval.ms"]));
    } catch (error) {
      await consumer.close(0);
      throw error;
    }
    return consumer;
  }

  private constructor(pump: Pump, crossing: Crossing, options: ConsumerOptions) {
    this.#pump = pump;
    this.#crossing = crossing;
    this.#options = options;
    this.#troubles = new Troubles(options.troubled);
    this.#positions = new Positions(pump);
    this.#records = pump.openQueue(() => this.#serve());
    this.#requests = new Requests(pump, LIFE_ANSWERS);
    this.#commits = new Commits(pump);
    this.#assignment = new Assignment({
      pump,
      requests: this.#requests,
      records: this.#records,
      group: options.group,
      startAt: options.startAt,
      drainMs: options.drainMs,
      assigned: (partitions) => this.#assigned(partitions),
      revoked: options.revoked,
      lost: options.lost,
      troubled: options.troubled,
    });
    pump.on(EVENT.rebalance, (event) => this.#assignment.rebalance(event));
  }

  /** True once partitions were assigned (none is an answer too), while a broker can be reached. */
  get ready(): boolean {
    return this.#assignment.known && !this.#troubles.away && !this.#closing;
  }

  get partitions(): readonly TopicPartition[] {
    return this.#assignment.partitions;
  }

  /**
   * The next records, at most `most`; waits for the first. Empty once closed. Not calling it is the back pressure:
   * librdkafka fetches ahead up to `queued.max.messages.kbytes` and stops.
   */
  take(most: number): Promise<readonly ConsumedRecord[]> {
    if (this.#taker)
      return Promise.reject(new CauceError("defect", "take() was called while another call waits"));
    if (this.#closing) return Promise.resolve([]);
    const records = this.#fetch(most);
    if (records.length > 0) return Promise.resolve(records);
    return new Promise((resolve) => {
      this.#taker = { most, resolve };
    });
  }

  /** The records that are there, at most `most`, without waiting. For who reads several consumers in turn; `arrived` says when to ask again. */
  takeNow(most: number): readonly ConsumedRecord[] {
    return this.#closing || this.#taker ? [] : this.#fetch(most);
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of this.#switch(partitions, "rd_kafka_pause_partitions"))
      this.#paused.add(keyOf(topic, partition));
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of this.#switch(partitions, "rd_kafka_resume_partitions"))
      this.#paused.delete(keyOf(topic, partition));
    const ours = partitions.filter(({ topic, partition }) => this.#assignment.owns(topic, partition));
    wakeBrokers({ pump: this.#pump, requests: this.#requests, partitions: ours });
  }

  /**
   * Commits, and resolves when the broker has acknowledged.
   * @throws CauceError `broker` where it refuses, or where a partition is not ours (the others are committed then).
   */
  async commit(offsets: readonly CommitEntry[]): Promise<void> {
    if (this.#closing) throw new CauceError("closed", "the consumer was closed");
    const ours = offsets.filter(({ topic, partition }) => this.#assignment.mayCommit(topic, partition));
    if (ours.length > 0) {
      await this.#commits.commit(ours);
      for (const offset of ours)
        if (this.#assignment.mayCommit(offset.topic, offset.partition)) this.#positions.set(offset);
    }
    if (ours.length < offsets.length) {
      const foreign = offsets
        .filter((offset) => !ours.includes(offset))
        .map(({ topic, partition }) => keyOf(topic, partition));
      throw new CauceError(
        "broker",
        `not committed, because not this member's any more: ${foreign.join(", ")}`,
      );
    }
  }

  /**
   * Goes on reading at other offsets; what was fetched before them is dropped. Waits at most SEEK_MS inside
   * librdkafka (its own thread answers, no broker is asked): an operator's tool, not a step of a loop.
   */
  seek(offsets: readonly CommittedOffset[]): void {
    const { library, client } = this.#pump;
    const error = withList(library, offsets, (list) => {
      return takeError(library, library.native.rd_kafka_seek_partitions(client, list, SEEK_MS), "seek");
    });
    if (error) throw error;
  }

  /**
   * Who this member is, for `TransactionalProducer.sendOffsets`. Taken for every transaction right after its `take`, before
   * the work: where a partition moves on meanwhile, the broker then refuses the offsets. Taken later, it would name the
   * new generation, and offsets of a partition that is another's by now would be accepted.
   * Waits for librdkafka's own thread (no broker is asked): 0.1 ms.
   * @throws CauceError `broker`, retryable, while it is no member or has lost its partitions
   */
  groupMetadata(): GroupMetadata {
    if (this.#closing) throw new CauceError("closed", "the consumer was closed");
    const { library, client } = this.#pump;
    const metadata = readGroupMetadata(library, client);
    // Asked after it was read: what was lost before stays so until we have been told. Without a generation the broker
    // would take the offsets of anybody.
    if (generationOf(metadata) < 0 || library.native.rd_kafka_assignment_lost(client) === 1) {
      throw new CauceError("broker", "this member has no part in its group now", { retryable: true });
    }
    return metadata;
  }

  /** Records between the group's committed position and the end of each partition of ours; -1 where unknown. */
  lag(): (TopicPartition & { records: number })[] {
    return this.#assignment.partitions.map((one) => ({ ...one, records: this.#positions.lagOf(one) }));
  }

  /**
   * Leaves the group and ends the client, which takes at most CLOSE_MS. A rebalance that is under way is waited for before, at most
   * `leaveMs` (default 5 s; 0 for a broker that is gone): in the middle of one the group does not hear of our leaving, and waits for us until
   * our session ends. Idempotent.
   */
  close(leaveMs: number = LEAVE_MS): Promise<void> {
    return (this.#closing ??= this.#close(leaveMs));
  }

  /** @internal From the pump. */
  handle(event: ClientEvent): void {
    if (event.kind === "error") this.#troubles.clientFailed(event);
    if (event.kind === "statistics" && event.json.includes('"state":"UP"')) this.#troubles.brokerAnswered();
    this.#options.onEvent?.(event);
  }

  #subscribe(maxPollIntervalMs: number): void {
    const { library, client } = this.#pump;
    const topics = this.#options.topics.map((topic) => ({ topic, partition: -1 }));
    const err = withList(library, topics, (list) => library.native.rd_kafka_subscribe(client, list));
    if (err !== ERROR.none)
      throw requestFailure(library, err, `subscribe to ${this.#options.topics.join(", ")}`);
    // librdkafka leaves the group when nobody polls the consumer queue for max.poll.interval.ms, idle or not.
    this.#keepAlive = setInterval(() => this.#pump.run(), Math.max(100, maxPollIntervalMs / 3));
  }

  #assigned(partitions: readonly StartedPartition[]): void {
    for (const { topic, partition, committed } of partitions)
      this.#positions.set({ topic, partition, offset: committed });
    // Its new owner has paused nothing. Those that nobody paused are left alone: to resume one makes librdkafka fetch it again.
    this.resume(partitions.filter(({ topic, partition }) => this.#paused.has(keyOf(topic, partition))));
    this.#options.assigned(partitions);
    this.#serve();
  }

  /** Gives the waiting taker what has come. */
  #serve(): void {
    const taker = this.#taker;
    if (this.#closing) return;
    if (!taker) {
      this.#options.arrived?.();
      return;
    }
    const records = this.#fetch(taker.most);
    if (records.length === 0) return;
    this.#taker = undefined;
    taker.resolve(records);
  }

  /** Takes off the queue until there is a record of ours or nothing is left. */
  #fetch(most: number): readonly ConsumedRecord[] {
    for (;;) {
      const fetched = this.#crossing.fetch(this.#records, most);
      if (fetched.length === 0) return [];
      const { records, errors } = decodeBatches(fetched, this.#owns);
      for (const error of errors) this.#troubles.partitionFailed(error);
      if (records.length > 0) {
        this.#troubles.brokerAnswered();
        return records;
      }
    }
  }

  /** In the other protocol there is no request that waits for others; a static member is expected back. */
  get #mustLeaveFirst(): boolean {
    const { groupProtocol, groupInstanceId, config } = this.#options;
    return groupProtocol !== "consumer" && groupInstanceId === undefined && !("group.instance.id" in config);
  }

  #switch(
    partitions: readonly TopicPartition[],
    call: "rd_kafka_pause_partitions" | "rd_kafka_resume_partitions",
  ): readonly TopicPartition[] {
    const { library, client } = this.#pump;
    const ours = partitions.filter(({ topic, partition }) => this.#assignment.mayCommit(topic, partition));
    if (ours.length === 0 || this.#pump.closed) return [];
    withList(library, ours, (list) => library.native[call](client, list));
    return ours;
  }

  async #close(leaveMs: number): Promise<void> {
    const { library, client } = this.#pump;
    const { native } = library;
    this.#taker?.resolve([]);
    this.#taker = undefined;
    this.#assignment.close();
    if (this.#mustLeaveFirst && leaveMs > 0) await leaveGroup(this.#pump, leaveMs, () => this.#troubles.away);
    clearInterval(this.#keepAlive);
    const closed = Promise.withResolvers<void>();
    // The group's events come on a queue of our own from here on, with its own wake-up; the pump reads it all the same.
    const events = this.#pump.openQueue(() => {
      if (native.rd_kafka_consumer_closed(client) === 1) closed.resolve();
    });
    const refused = takeError(
      library,
      native.rd_kafka_consumer_close_queue(client, events),
      "leave the group",
    );
    const timer = setTimeout(() => closed.resolve(), refused ? 0 : CLOSE_MS);
    this.#pump.run();
    await closed.promise;
    clearTimeout(timer);
    this.#requests.close();
    this.#commits.close();
    this.#pump.close();
  }
}

const LEAVE_MS = 5_000;
/** How long leaving the group may take before the client is ended regardless, in ms. */
const CLOSE_MS = 5_000;
const SEEK_MS = 100;
