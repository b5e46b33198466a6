/**
 * Commits what is finished of one topic: soon, not at once, and never from a timer while nothing changed.
 *
 * In: partitions of which something was finished. Out: acknowledged commits. A failed commit is tried again with the next;
 * local truth only advances when the broker has acknowledged.
 */
import type { CommittedOffset } from "../bus/bus.ts";
import { pause, type Clock } from "../ground/clock.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import { failpoint } from "../ground/failpoint.ts";
import type { Log } from "../ground/log.ts";
import { writeFinishedAbove } from "./commit-metadata.ts";
import type { Progress } from "./frontier.ts";
import { LIMITS } from "./limits.ts";
import { type OwnedPartition, partitionName } from "./partition.ts";

export interface TopicCommitterOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Of partitions of one topic. */
  readonly commit: (offsets: readonly CommittedOffset[]) => Promise<void>;
}

export class TopicCommitter {
  readonly #options: TopicCommitterOptions;
  readonly #dirty = new Set<OwnedPartition>();
  #cancel: (() => void) | null = null;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: TopicCommitterOptions) {
    this.#options = options;
  }

  /** Something of this partition was finished. */
  dirty(partition: OwnedPartition): void {
    this.#dirty.add(partition);
    this.#arm();
  }

  /**
   * Commits these partitions now, after a commit that is under way, and waits at most `withinMs`. Never rejects. While the group gives
   * out partitions anew it takes no commit: that is waited for, since whoever gets these would repeat them. A member that has joined
   * again already hears of nothing until the others have drained theirs: the broker answers one request of a connection after the other.
   */
  async flush(partitions: readonly OwnedPartition[], withinMs: number): Promise<void> {
    const { clock, log } = this.#options;
    const startMs = clock.monotonicMs();
    const late = new AbortController();
    const passed = Promise.withResolvers<void>();
    const cancel = clock.after(withinMs, () => {
      late.abort();
      passed.resolve();
    });
    const committed = this.#running.then(async () => {
      while (!late.signal.aborted && (await this.#commit(partitions)) === "again") {
        await pause(clock, LIMITS.commitAgainMs, late.signal);
      }
    });
    await Promise.race([committed, passed.promise]);
    cancel();
    const left = partitions.filter(({ frontier, signal }) => frontier.progress !== null && !signal.aborted);
    if (left.length > 0) {
      log.warn(
        "partitions are given back without a commit: what is finished and not committed is repeated by their next owner",
        {
          partitions: left.map((partition) => partitionName(partition)),
          offsets: left.map(({ frontier }) => frontier.progress?.offset),
          waitedMs: Math.round(clock.monotonicMs() - startMs),
        },
      );
    }
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
      this.#running = this.#commit([...this.#dirty]).then(() => {
        this.#cancel = null;
        if (this.#dirty.size > 0) this.#arm();
      });
    });
  }

  /** Never rejects. @returns `again` where the same commit may succeed later. */
  async #commit(partitions: readonly OwnedPartition[]): Promise<"over" | "again"> {
    const moved: { partition: OwnedPartition; progress: Progress }[] = [];
    for (const partition of partitions) {
      const { progress } = partition.frontier;
      if (progress === null) this.#dirty.delete(partition);
      else if (!partition.signal.aborted) moved.push({ partition, progress });
    }
    if (moved.length === 0) return "over";
    failpoint("commit.before");
    try {
      await this.#send(moved.map(({ partition, progress }) => offsetOf(partition, progress)));
    } catch (error) {
      this.#options.log.warn("commit failed; it is tried again", { error: messageOf(error) });
      return error instanceof CauceError && error.retryable ? "again" : "over";
    }
    failpoint("commit.after");
    for (const { partition, progress } of moved) {
      partition.frontier.committed(progress);
      if (!partition.frontier.moved) this.#dirty.delete(partition);
    }
    return "over";
  }

  /** A broker may allow less metadata than Kafka's default: then the offsets alone must do. */
  async #send(offsets: readonly CommittedOffset[]): Promise<void> {
    try {
      await this.#options.commit(offsets);
    } catch (error) {
      if (!isRefused(error) || offsets.every(({ metadata }) => metadata === undefined)) throw error;
      await this.#options.commit(offsets.map(({ metadata: _refused, ...offset }) => offset));
      this.#options.log.warn("the broker took a commit only without what is finished above it", {
        error: messageOf(error),
      });
    }
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof CauceError && error.code === "metadata_refused";
}

function offsetOf({ topic, partition, life }: OwnedPartition, { offset, above }: Progress): CommittedOffset {
  const metadata = life === null ? "" : writeFinishedAbove({ offset, life, above });
  return { topic, partition, offset, ...(metadata !== "" && { metadata }) };
}
