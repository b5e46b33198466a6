/**
 * What one handler holds in memory: bounded by records and bytes, shared by its partitions.
 *
 * In: tasks that are taken and finished. Out: how many more there is room for, and which partitions to pause because
 * they stand still while they hold their share. Not taking is the back pressure; pausing is the exception, since it makes
 * librdkafka throw away what it has fetched and fetch it again. Never here: the order of tasks.
 */
import type { Clock } from "../ground/clock.ts";
import { LIMITS } from "./limits.ts";
import type { OwnedPartition, Task } from "./partition.ts";

export interface IntakeOptions {
  readonly concurrency: number;
  readonly clock: Clock;
  readonly partitions: () => Iterable<OwnedPartition>;
  readonly pause: (partitions: readonly OwnedPartition[]) => void;
  readonly resume: (partition: OwnedPartition) => void;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #perPartition: number;
  readonly #inTotal: number;
  #records = 0;
  #bytes = 0;
  /** Records of paused partitions. */
  #setAside = 0;
  #freed: (() => void) | null = null;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#perPartition = Math.max(2 * options.concurrency, LIMITS.leastBufferedPerPartition);
    this.#inTotal = 4 * this.#perPartition;
  }

  get records(): number {
    return this.#records;
  }

  /** How many more records may be taken now; 0 or less means none. Those of paused partitions do not count. */
  get room(): number {
    return this.#bytes >= LIMITS.bufferedBytes ? 0 : this.#inTotal - this.#records + this.#setAside;
  }

  add({ partition, bytes }: Task): void {
    partition.buffered++;
    this.#records++;
    this.#bytes += bytes;
    if (partition.paused) this.#setAside++;
    else if (partition.frontier.held >= LIMITS.mostAboveFrontier) this.#pause([partition]);
  }

  remove(task: Task): void {
    const { partition } = task;
    partition.buffered--;
    this.#records--;
    this.#bytes -= task.bytes;
    if (partition.paused) {
      this.#setAside--;
      if (partition.active && this.#workedOff(partition)) {
        partition.paused = false;
        this.#setAside -= partition.buffered;
        this.#options.resume(partition);
      }
    }
    // A quarter at a time: taking record by record would cost a crossing each.
    if (this.#freed !== null && (this.#records === 0 || this.room >= this.#inTotal / 4)) this.wake();
  }

  #workedOff({ buffered, frontier }: OwnedPartition): boolean {
    return buffered <= this.#perPartition / 2 && frontier.held <= LIMITS.mostAboveFrontier / 2;
  }

  #pause(partitions: readonly OwnedPartition[]): void {
    for (const partition of partitions) {
      partition.paused = true;
      this.#setAside += partition.buffered;
    }
    this.#options.pause(partitions);
  }

  /** Resolves when there is room worth taking for, or when something stood still and was set aside. */
  async freed(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#freed = resolve;
    const cancel = this.#options.clock.after(LIMITS.stallMs, () => {
      this.#setStalledAside();
      resolve();
    });
    await promise;
    cancel();
    this.#freed = null;
  }

  /** Ends a wait. */
  wake(): void {
    this.#freed?.();
  }

  #setStalledAside(): void {
    const sinceMs = this.#options.clock.monotonicMs() - LIMITS.stallMs;
    const stalled = [...this.#options.partitions()].filter(
      (partition) =>
        !partition.paused && partition.buffered >= this.#perPartition && partition.progressMs <= sinceMs,
    );
    if (stalled.length > 0) this.#pause(stalled);
  }
}
