/**
 * One partition while it is ours: its frontier, its share of what waits in memory, its end.
 */
import type { IncomingRecord, TopicPartition } from "../bus/bus.ts";
import { Frontier, type Ticket } from "./frontier.ts";

/** A record on its way through one process. */
export interface Task {
  readonly record: IncomingRecord;
  readonly ticket: Ticket;
  readonly partition: OwnedPartition;
  readonly bytes: number;
}

export class OwnedPartition implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly frontier = new Frontier();
  readonly #end = new AbortController();
  readonly #idle = new Set<() => void>();
  /** Taken and not finished: waiting and running ones. */
  buffered = 0;
  running = 0;
  /** When one of its records was last finished, on the monotonic clock. */
  progressMs = -Infinity;
  /** A paused partition delivers nothing until half of its share is worked off. */
  paused = false;
  /** False once it is being given back: what has not started does not start any more. */
  active = true;

  constructor({ topic, partition }: TopicPartition) {
    this.topic = topic;
    this.partition = partition;
  }

  /** Aborts when nothing of this partition may reach the broker any more. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** Ends all work on it at once: lost, or not drained in time. */
  abandon(): void {
    this.active = false;
    this.#end.abort();
  }

  started(): void {
    this.running++;
  }

  ended(): void {
    this.running--;
    if (this.running > 0) return;
    for (const call of this.#idle) call();
    this.#idle.clear();
  }

  /** Resolves when nothing of it runs any more. */
  drained(): Promise<void> {
    if (this.running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.add(resolve));
  }
}

/** The name under which a partition is kept in maps and logs. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
