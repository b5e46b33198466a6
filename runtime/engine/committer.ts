/**
 * Commits what is finished, each topic's for itself.
 *
 * A topic has a member of the group to itself (docs/decisions/0019), and the broker answers a member that has joined again only once all
 * others have: commits that waited for each other would have a drain wait for a member that waits for the drain.
 * In: partitions of which something was finished. Out: acknowledged commits. Never here: when, and how a failed one is tried again
 * (topic-committer.ts).
 */
import type { OwnedPartition } from "./partition.ts";
import { TopicCommitter, type TopicCommitterOptions } from "./topic-committer.ts";

/** What a consumer asks of whoever commits for it. */
export interface Commits {
  /** Something of this partition was finished. */
  dirty(partition: OwnedPartition): void;
  /** Commits these partitions now, after what is under way, and waits at most `withinMs` for it. Never rejects. */
  flush(partitions: readonly OwnedPartition[], withinMs: number): Promise<void>;
  /** Nothing of this partition is committed any more. */
  forget(partition: OwnedPartition): void;
  stop(): void;
}

export class Committer implements Commits {
  readonly #options: TopicCommitterOptions;
  readonly #byTopic = new Map<string, TopicCommitter>();

  constructor(options: TopicCommitterOptions) {
    this.#options = options;
  }

  dirty(partition: OwnedPartition): void {
    this.#of(partition.topic).dirty(partition);
  }

  async flush(partitions: readonly OwnedPartition[], withinMs: number): Promise<void> {
    const byTopic = Map.groupBy(partitions, ({ topic }) => topic);
    await Promise.all([...byTopic].map(([topic, its]) => this.#of(topic).flush(its, withinMs)));
  }

  forget(partition: OwnedPartition): void {
    this.#of(partition.topic).forget(partition);
  }

  stop(): void {
    for (const committer of this.#byTopic.values()) committer.stop();
  }

  #of(topic: string): TopicCommitter {
    let committer = this.#byTopic.get(topic);
    if (committer === undefined) {
      committer = new TopicCommitter(this.#options);
      this.#byTopic.set(topic, committer);
    }
    return committer;
  }
}
