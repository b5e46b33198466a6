/**
 * Which partitions are ours, and how they come and go.
 *
 * In: rebalance events. Out: calls of the owner, one at a time, and the answer that librdkafka waits for.
 * Before a partition is ours its queue is forwarded to the records' queue and its committed offset is known, so that
 * nothing ever starts at a place that nobody chose. Never here: records, commits, which place that is (starts.ts).
 */
import type { BusTrouble, TopicPartition } from "../bus/bus.ts";
import { messageOf } from "../ground/errors.ts";
import { ERROR, errorName, takeError } from "./failures.ts";
import { keyOf, type PartitionEntry, readList, START, withList } from "./partitions.ts";
import type { Pump } from "./pump.ts";
import type { Requests } from "./requests.ts";
import { findStarts, type StartedPartition } from "./starts.ts";
import { type Address, cString, text } from "./symbols.ts";
import { wakeBrokers } from "./wake-brokers.ts";

export interface AssignmentOptions {
  readonly pump: Pump;
  readonly requests: Requests;
  /** The queue that carries records and nothing else. */
  readonly records: Address;
  readonly group: string;
  readonly startAt: "earliest" | "latest";
  readonly drainMs: number;
  readonly assigned: (partitions: readonly StartedPartition[]) => void;
  readonly revoked: (partitions: readonly TopicPartition[]) => Promise<void>;
  readonly lost: (partitions: readonly TopicPartition[]) => void;
  readonly troubled: (trouble: BusTrouble) => void;
}

export class Assignment {
  readonly #options: AssignmentOptions;
  /** Records of these may be handed out. */
  readonly #owned = new Set<string>();
  /** Offsets of these may be committed: the owned ones, and the revoked ones while they drain. */
  readonly #committable = new Set<string>();
  readonly #partitions = new Map<string, TopicPartition>();
  /** Rebalances are answered in the order in which they came. */
  #turn: Promise<void> = Promise.resolve();
  #closing = false;
  readonly #closed = Promise.withResolvers<undefined>();
  #everAssigned = false;

  constructor(options: AssignmentOptions) {
    this.#options = options;
  }

  /** Has the group told us what is ours, even if that is nothing? */
  get known(): boolean {
    return this.#everAssigned;
  }

  get partitions(): readonly TopicPartition[] {
    return [...this.#partitions.values()];
  }

  owns(topic: string, partition: number): boolean {
    return this.#owned.has(keyOf(topic, partition));
  }

  mayCommit(topic: string, partition: number): boolean {
    return this.#committable.has(keyOf(topic, partition));
  }

  /** Takes a rebalance event; the event may be destroyed when this returns. */
  rebalance(event: Address): void {
    const { native } = this.#options.pump.library;
    const kind = native.rd_kafka_event_error(event);
    const partitions = readList(native.rd_kafka_event_topic_partition_list(event) ?? 0);
    if (kind === ERROR.assignPartitions) {
      this.#next(() => this.#assign(partitions));
      return;
    }
    const lost = native.rd_kafka_assignment_lost(this.#options.pump.client) === 1;
    // From this moment on nothing of them is handed out any more, however long the drain takes.
    for (const { topic, partition } of partitions) this.#owned.delete(keyOf(topic, partition));
    this.#next(() => this.#revoke(partitions, lost));
  }

  /** From here on partitions are given back without asking the owner, who has drained before. */
  close(): void {
    this.#closing = true;
    this.#owned.clear();
    this.#closed.resolve(undefined);
  }

  #next(step: () => Promise<void>): void {
    this.#turn = this.#turn.then(step).catch((error: unknown) => this.#trouble(messageOf(error)));
  }

  async #assign(partitions: readonly TopicPartition[]): Promise<void> {
    const { assigned } = this.#options;
    for (const partition of partitions) this.#forward(partition);
    const started = partitions.length === 0 ? [] : await this.#startsOf(partitions);
    if (started === undefined) {
      // Nobody reads them any more, but a member that owes an answer cannot leave its group.
      const unread = partitions.map((partition) => ({ ...partition, offset: START.latest }));
      if (!this.#options.pump.closed) this.#answer(unread, "assign");
      return;
    }
    const entries = started.map(({ topic, partition, offset }) => ({ topic, partition, offset }));
    const refused = new Set(
      this.#answer(entries, "assign").map(({ topic, partition }) => keyOf(topic, partition)),
    );
    const ours = started.filter(({ topic, partition }) => !refused.has(keyOf(topic, partition)));
    for (const { topic, partition } of ours) {
      const key = keyOf(topic, partition);
      this.#owned.add(key);
      this.#committable.add(key);
      this.#partitions.set(key, { topic, partition });
    }
    this.#wakeBrokers();
    this.#everAssigned = true;
    if (!this.#closing) assigned(ours);
  }

  /** Undefined when we close meanwhile. */
  async #startsOf(partitions: readonly TopicPartition[]): Promise<readonly StartedPartition[] | undefined> {
    const starts = findStarts({
      ...this.#options,
      partitions,
      closing: () => this.#closing,
      failed: (message) => this.#trouble(message),
    });
    return await Promise.race([starts, this.#closed.promise]);
  }

  async #revoke(partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
    const { pump, drainMs } = this.#options;
    const plain = partitions.map(({ topic, partition }) => ({ topic, partition }));
    // A rebalance that was still being answered when this one arrived may have added some of them again.
    for (const { topic, partition } of plain) this.#owned.delete(keyOf(topic, partition));
    if (lost) this.#forget(plain);
    if (!this.#closing && plain.length > 0) {
      if (lost) this.#options.lost(plain);
      else await this.#drain(plain, drainMs);
    }
    this.#forget(plain);
    if (pump.closed) return;
    this.#answer(plain, "unassign");
    if (!this.#closing) this.#wakeBrokers();
  }

  /** A rebalance pauses the partitions that stay, too. */
  #wakeBrokers(): void {
    const { pump, requests } = this.#options;
    wakeBrokers({ pump, requests, partitions: this.partitions });
  }

  /** Waits for the owner, at most `drainMs`; events go on being handled meanwhile. */
  async #drain(partitions: readonly TopicPartition[], drainMs: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#trouble(
        `${partitions.length} revoked partitions were not drained within ${drainMs} ms and are given back regardless`,
      );
      late.resolve();
    }, drainMs);
    try {
      await Promise.race([this.#options.revoked(partitions), late.promise]);
    } catch (error) {
      this.#trouble(`draining revoked partitions failed: ${messageOf(error)}`);
    } finally {
      clearTimeout(timer);
    }
  }

  #forward({ topic, partition }: TopicPartition): void {
    const { pump, records } = this.#options;
    const { native } = pump.library;
    const queue = native.rd_kafka_queue_get_partition(pump.client, cString(topic), partition);
    if (!queue) return;
    native.rd_kafka_queue_forward(queue, records);
    native.rd_kafka_queue_destroy(queue);
  }

  /**
   * Gives librdkafka the answer that it waits for. One that it refuses as a whole (a partition that it does not know of, or knows
   * already) would leave it waiting for ever, a member that reads nothing and never joins again: then each partition is
   * answered for alone, and at last nobody. @returns those that it refused
   */
  #answer(entries: readonly PartitionEntry[], what: "assign" | "unassign"): readonly PartitionEntry[] {
    const { library } = this.#options.pump;
    const tell = (some: readonly PartitionEntry[]) =>
      withList(library, some, (list) => this.#tell(list, what));
    const error = tell(entries);
    if (!error) return [];
    if (this.#isEager) {
      this.#trouble(error);
      return entries;
    }
    this.#trouble(`${error}; its partitions are answered for one by one`);
    const refused = entries.filter((entry) => tell([entry]) !== undefined);
    if (refused.length === entries.length) tell([]);
    return refused;
  }

  get #isEager(): boolean {
    const { client, library } = this.#options.pump;
    return text(library.native.rd_kafka_rebalance_protocol(client)) === "EAGER";
  }

  /** The eager protocol knows only all or nothing. */
  #tell(list: Address, what: "assign" | "unassign"): string | undefined {
    const { client, library } = this.#options.pump;
    const { native } = library;
    if (!this.#isEager) {
      const answer =
        what === "assign" ? native.rd_kafka_incremental_assign : native.rd_kafka_incremental_unassign;
      return takeError(library, answer(client, list), `${what} partitions`)?.message;
    }
    const err = native.rd_kafka_assign(client, what === "assign" ? list : null);
    return err === ERROR.none ? undefined : `${what} partitions: ${errorName(library, err)}`;
  }

  #forget(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) {
      const key = keyOf(topic, partition);
      this.#owned.delete(key);
      this.#committable.delete(key);
      this.#partitions.delete(key);
    }
  }

  #trouble(message: string): void {
    this.#options.troubled({ kind: "other", message });
  }
}
