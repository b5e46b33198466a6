/**
 * One partition while it is ours: its frontier, its share of what waits in memory, its end.
 */
import type { AssignedPartition, IncomingRecord, TopicPartition } from "../bus/bus.ts";
import { readFinishedAbove } from "./commit-metadata.ts";
import type { Interruption } from "./run.ts";
import { Frontier, type Run, type Ticket } from "./frontier.ts";

/** A record on its way through one process. */
export interface Task {
  readonly record: IncomingRecord;
  readonly ticket: Ticket;
  readonly partition: OwnedPartition;
  readonly bytes: number;
  /** The record's key in UTF-8. */
  readonly key: string | null;
  /** Tasks of one lane run one at a time; null where order does not matter. */
  readonly lane: string | null;
  /** Never in a batch with others. */
  readonly alone: boolean;
  /** Its run is over and it is being settled: it holds its lane, and no place among those that run. */
  settling: boolean;
}

export class OwnedPartition implements TopicPartition, Interruption {
  readonly topic: string;
  readonly partition: number;
  /** See `partitionName`. */
  readonly name: string;
  /** By which assignment it came, counted from 1. */
  readonly assignment: number;
  /** Which log its offsets count, where the bus can tell. */
  readonly life: string | null;
  /** What its last owner had finished above its commit. */
  readonly restored: readonly Run[];
  readonly frontier: Frontier;
  /** Runs that must be told when all work on it ends. A set of calls: listeners of a signal cost a microsecond each. */
  readonly onInterrupt = new Set<() => void>();
  /** Called once when nothing more of it starts: who waits for better times ends. */
  readonly onLeave = new Set<() => void>();
  readonly #end = new AbortController();
  readonly #idle = new Set<() => void>();
  /** Taken and not finished: waiting and running ones. */
  buffered = 0;
  running = 0;
  /** When one of its records was last finished, on the monotonic clock. */
  progressMs = -Infinity;
  /** A paused partition delivers nothing until half of its share is worked off. */
  paused = false;
  /** Its next offset is not there any more: it stands still until somebody gives its group another one. */
  outOfRange = false;
  /** The signal's word, for those who ask at each message. */
  interrupted = false;
  /** False once it is being given back: what has not started does not start any more. */
  active = true;

  constructor({ topic, partition, committed, metadata = "", life }: AssignedPartition, assignment = 1) {
    this.assignment = assignment;
    this.topic = topic;
    this.partition = partition;
    this.name = partitionName(this);
    this.life = life ?? null;
    this.restored =
      committed === undefined || life === undefined
        ? []
        : readFinishedAbove(metadata, { offset: committed, life });
    this.frontier = new Frontier(this.restored);
  }

  /** Aborts when nothing of this partition may reach the broker any more. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** It is being given back: what runs may finish, nothing more starts. */
  leave(): void {
    this.active = false;
    for (const call of this.onLeave) call();
    this.onLeave.clear();
  }

  /** Ends all work on it at once: lost, or not drained in time. */
  abandon(): void {
    this.leave();
    this.interrupted = true;
    this.#end.abort();
    for (const call of this.onInterrupt) call();
    this.onInterrupt.clear();
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
