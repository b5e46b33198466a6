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
    if (this.#bytes >= LIMITS.bufferedBytes) return 0;
    let setAside = 0;
    for (const partition of this.#options.partitions()) if (partition.paused) setAside += partition.buffered;
    return this.#inTotal - this.#records + setAside;
  }

  add({ partition, bytes }: Task): void {
    partition.buffered++;
    this.#records++;
    this.#bytes += bytes;
    if (partition.paused || partition.frontier.held < LIMITS.mostAboveFrontier) return;
    partition.paused = true;
    this.#options.pause([partition]);
  }

  remove(task: Task): void {
    const { partition } = task;
    partition.buffered--;
    this.#records--;
    this.#bytes -= task.bytes;
    const workedOff =
      partition.buffered <= this.#perPartition / 2 && partition.frontier.held <= LIMITS.mostAboveFrontier / 2;
    if (partition.paused && partition.active && workedOff) {
      partition.paused = false;
      this.#options.resume(partition);
    }
    // A quarter at a time: taking record by record would cost a crossing each.
    if (this.#records === 0 || this.room >= this.#inTotal / 4) this.wake();
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
    for (const partition of stalled) partition.paused = true;
    if (stalled.length > 0) this.#options.pause(stalled);
  }
}
