/**
 * Which task may run now. Tasks of one lane run one at a time and in order; lanes run beside each other.
 *
 * In: tasks with their lane (or null for none). Out: calls of `run`, at most `concurrency` at once.
 * Never here: what a task does. It must not reject.
 */

export interface LanesOptions<Task> {
  readonly concurrency: number;
  readonly run: (task: Task) => Promise<void>;
}

export class Lanes<Task> {
  readonly #options: LanesOptions<Task>;
  /** Tasks that wait behind a running one of their lane. A lane is in here exactly while one of its tasks is ready or runs. */
  readonly #waiting = new Map<string, Task[]>();
  /** Tasks that may run as soon as there is room, oldest first. */
  #ready: { lane: string | null; task: Task }[] = [];
  #head = 0;
  #running = 0;
  #open = true;

  constructor(options: LanesOptions<Task>) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  push(lane: string | null, task: Task): void {
    if (lane !== null) {
      const behind = this.#waiting.get(lane);
      if (behind !== undefined) {
        behind.push(task);
        return;
      }
      this.#waiting.set(lane, []);
    }
    this.#ready.push({ lane, task });
    this.#start();
  }

  /** A closed gate starts nothing new; what runs goes on. */
  gate(open: boolean): void {
    this.#open = open;
    this.#start();
  }

  #start(): void {
    while (this.#open && this.#running < this.#options.concurrency) {
      const next = this.#ready[this.#head];
      if (next === undefined) break;
      this.#head++;
      this.#running++;
      void this.#options.run(next.task).finally(() => this.#finished(next.lane));
    }
    if (this.#head > 1_024 || this.#head === this.#ready.length) {
      this.#ready = this.#ready.slice(this.#head);
      this.#head = 0;
    }
  }

  #finished(lane: string | null): void {
    this.#running--;
    if (lane !== null) {
      const task = this.#waiting.get(lane)?.shift();
      if (task === undefined) this.#waiting.delete(lane);
      else this.#ready.push({ lane, task });
    }
    this.#start();
  }
}
