/**
 * The partitions that are ours, from their assignment to the commit with which they are given back.
 *
 * In: assignments, what commits. Out: the partition of a record; partitions that are drained, committed and forgotten.
 * Never here: records, the group.
 */
import type { AssignedPartition, TopicPartition } from "../bus/bus.ts";
import type { Clock } from "../ground/clock.ts";
import type { Log } from "../ground/log.ts";
import type { Commits } from "./committer.ts";
import { LIMITS } from "./limits.ts";
import { OwnedPartition, partitionName } from "./partition.ts";

export interface PartitionsOptions {
  /** The handler's name, for logs. */
  readonly handler: string;
  readonly committer: Commits;
  readonly clock: Clock;
  readonly log: Log;
}

export class Partitions {
  readonly #options: PartitionsOptions;
  readonly #byName = new Map<string, OwnedPartition>();
  #assignments = 0;
  /** Whose record came last; undefined once it may be another's. */
  #last: OwnedPartition | undefined;

  constructor(options: PartitionsOptions) {
    this.#options = options;
  }

  /** How often partitions were assigned. */
  get assignments(): number {
    return this.#assignments;
  }

  all(): IterableIterator<OwnedPartition> {
    return this.#byName.values();
  }

  /** Records of one partition come in a row. */
  of({ topic, partition }: TopicPartition): OwnedPartition | undefined {
    const last = this.#last;
    if (last !== undefined && last.partition === partition && last.topic === topic) return last;
    return (this.#last = this.#byName.get(partitionName({ topic, partition })));
  }

  /** Those of them that are ours. */
  owned(partitions: readonly TopicPartition[]): OwnedPartition[] {
    return partitions.flatMap((partition) => this.#byName.get(partitionName(partition)) ?? []);
  }

  add(partitions: readonly AssignedPartition[]): void {
    this.#last = undefined;
    this.#assignments++;
    for (const assigned of partitions) {
      const partition = new OwnedPartition(assigned, this.#assignments);
      this.#byName.set(partition.name, partition);
      if (partition.restored.length > 0)
        this.#options.log.info("goes on above the commit: what was finished there is not run again", {
          handler: this.#options.handler,
          partition: partition.name,
          committed: assigned.committed,
          records: partition.restored.reduce((sum, { from, to }) => sum + to - from, 0),
        });
    }
  }

  /** Drains, commits, forgets. What is not finished by the deadline is aborted and will be done elsewhere; with 0, nothing is committed. */
  async giveBack(partitions: readonly OwnedPartition[], deadlineMs: number): Promise<void> {
    for (const partition of partitions) partition.leave();
    const { clock, committer } = this.#options;
    const startMs = clock.monotonicMs();
    const late = Promise.withResolvers<void>();
    const cancel = clock.after(deadlineMs, late.resolve);
    await Promise.race([Promise.all(partitions.map((partition) => partition.drained())), late.promise]);
    cancel();
    // What the drain did not need of its time is the commit's.
    const leftMs = Math.max(0, deadlineMs - (clock.monotonicMs() - startMs));
    if (deadlineMs > 0) await committer.flush(partitions, leftMs + LIMITS.commitMs);
    for (const partition of partitions) this.forget(partition);
  }

  /** Ends all work on it at once. */
  forget(partition: OwnedPartition): void {
    partition.abandon();
    this.#options.committer.forget(partition);
    const { name } = partition;
    if (this.#byName.get(name) === partition) this.#byName.delete(name);
    this.#last = undefined;
  }
}
