/**
 * Which tasks run together now: those of one partition, in order, up to a number or a time.
 *
 * In: tasks with their partition's name. Out: calls of `run` with one or more of them, at most `concurrency` at once, and at
 * most one per partition where order is kept. A task that must be alone is. As Lanes for single tasks.
 * Never here: what a task does. `run` must not reject.
 */
import type { Clock } from "../ground/clock.ts";

export interface BatchesOptions<Task> {
  readonly concurrency: number;
  readonly max: number;
  readonly withinMs: number;
  /** Partition order: one run of a partition at a time. */
  readonly ordered: boolean;
  readonly clock: Clock;
  readonly alone: (task: Task) => boolean;
  readonly run: (tasks: readonly Task[]) => Promise<void>;
}

interface Queue<Task> {
  readonly name: string;
  tasks: Task[];
  running: number;
  /** Has the oldest waited long enough? */
  due: boolean;
  cancel: (() => void) | null;
}

export class Batches<Task> {
  readonly #options: BatchesOptions<Task>;
  /** Partitions with tasks that wait or run; who was served last stands last. */
  readonly #queues = new Map<string, Queue<Task>>();
  #running = 0;
  #open = true;
  #stopped = false;

  constructor(options: BatchesOptions<Task>) {
    this.#options = options;
  }

  /** Runs in flight, each of one batch. */
  get running(): number {
    return this.#running;
  }

  push(partition: string, task: Task): void {
    let queue = this.#queues.get(partition);
    if (queue === undefined) {
      queue = { name: partition, tasks: [], running: 0, due: false, cancel: null };
      this.#queues.set(partition, queue);
    }
    queue.tasks.push(task);
    this.#start();
  }

  /** A closed gate starts nothing new; what runs goes on. */
  gate(open: boolean): void {
    this.#open = open;
    this.#start();
  }

  /** Ends all waiting for more; what waits is never run. */
  stop(): void {
    this.#stopped = true;
    for (const queue of this.#queues.values()) queue.cancel?.();
    this.#queues.clear();
  }

  #start(): void {
    while (this.#open && !this.#stopped && this.#running < this.#options.concurrency) {
      const queue = this.#ripe();
      if (queue === undefined) return;
      const tasks = this.#cut(queue);
      queue.running++;
      this.#running++;
      void this.#options.run(tasks).finally(() => this.#finished(queue));
    }
  }

  #ripe(): Queue<Task> | undefined {
    const { ordered, max, alone, withinMs, clock } = this.#options;
    for (const queue of this.#queues.values()) {
      const first = queue.tasks[0];
      if (first === undefined || (ordered && queue.running > 0)) continue;
      if (queue.due || queue.tasks.length >= max || alone(first)) return queue;
      queue.cancel ??= clock.after(withinMs, () => {
        queue.cancel = null;
        queue.due = true;
        this.#start();
      });
    }
    return undefined;
  }

  #cut(queue: Queue<Task>): readonly Task[] {
    const { max, alone } = this.#options;
    let count = 0;
    for (const task of queue.tasks) {
      if (count >= max || (alone(task) && count > 0)) break;
      count++;
      if (alone(task)) break;
    }
    const tasks = queue.tasks.slice(0, count);
    queue.tasks = queue.tasks.slice(count);
    queue.cancel?.();
    queue.cancel = null;
    queue.due = false;
    return tasks;
  }

  #finished(queue: Queue<Task>): void {
    queue.running--;
    this.#running--;
    this.#queues.delete(queue.name);
    if (queue.running > 0 || queue.tasks.length > 0) this.#queues.set(queue.name, queue);
    this.#start();
  }
}
