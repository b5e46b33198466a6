/**
 * Commits what is finished: soon, not at once, and never from a timer while nothing changed.
 *
 * In: partitions whose frontier moved. Out: acknowledged commits. A failed commit is tried again with the next;
 * local truth only advances when the broker has acknowledged.
 */
import type { CommittedOffset } from "../bus/bus.ts";
import type { Clock } from "../ground/clock.ts";
import { messageOf } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";
import { LIMITS } from "./limits.ts";
import type { OwnedPartition } from "./partition.ts";

export interface CommitterOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly commit: (offsets: readonly CommittedOffset[]) => Promise<void>;
}

export class Committer {
  readonly #options: CommitterOptions;
  readonly #dirty = new Set<OwnedPartition>();
  #cancel: (() => void) | null = null;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** Something of this partition was finished. */
  dirty(partition: OwnedPartition): void {
    this.#dirty.add(partition);
    this.#arm();
  }

  /** Commits these partitions now, after a commit that is under way, and waits at most `LIMITS.commitMs` for it. */
  async flush(partitions: readonly OwnedPartition[]): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(LIMITS.commitMs, resolve);
    await Promise.race([this.#running.then(() => this.#commit(partitions)), late]);
    cancel();
  }

  forget(partition: OwnedPartition): void {
    this.#dirty.delete(partition);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #arm(): void {
    if (this.#cancel !== null || this.#stopped) return;
    this.#cancel = this.#options.clock.after(LIMITS.commitIntervalMs, () => {
      this.#running = this.#commit([...this.#dirty]).finally(() => {
        this.#cancel = null;
        if (this.#dirty.size > 0) this.#arm();
      });
    });
  }

  /** Never rejects. */
  async #commit(partitions: readonly OwnedPartition[]): Promise<void> {
    const moved: { partition: OwnedPartition; offset: number }[] = [];
    for (const partition of partitions) {
      const offset = partition.frontier.committable;
      if (offset === null) this.#dirty.delete(partition);
      else if (!partition.signal.aborted) moved.push({ partition, offset });
    }
    if (moved.length === 0) return;
    const offsets = moved.map(({ partition, offset }) => ({
      topic: partition.topic,
      partition: partition.partition,
      offset,
    }));
    try {
      await this.#options.commit(offsets);
    } catch (error) {
      this.#options.log.warn("commit failed; it is tried again", { error: messageOf(error) });
      return;
    }
    for (const { partition, offset } of moved) {
      partition.frontier.committed(offset);
      if (partition.frontier.committable === null) this.#dirty.delete(partition);
    }
  }
}
