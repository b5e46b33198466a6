/**
 * Which task may run now. Tasks of one lane run one at a time and in order; lanes run beside each other.
 *
 * In: tasks with their lane (or null for none), and word of each that is over. Out: calls of `run`, at most `concurrency` at once: a task
 * whose run is over and whose end is still awaited does not count.
 * No promise is made for a task: one that is over before `run` returns costs a call. Never here: what a task does.
 */
import { Taken } from "./taken.ts";

/** What a lane needs of its tasks. */
export interface Laned {
  /** Null: it waits for no other. */
  readonly lane: string | null;
}

export interface LanesOptions<Task extends Laned> {
  readonly concurrency: number;
  /** Starts a task; `finished` is called once for it, at once or later. Must not throw. */
  readonly run: (task: Task) => void;
}

export class Lanes<Task extends Laned> {
  readonly #options: LanesOptions<Task>;
  /** Lanes of which a task is ready or runs. */
  readonly #taken = new Taken();
  /** Tasks that wait behind one of their lane; no lane is in here without any. */
  readonly #waiting = new Map<string, Task[]>();
  /** Tasks that may run as soon as there is room, oldest first. */
  #ready: Task[] = [];
  #head = 0;
  #running = 0;
  #open = true;
  #starting = false;

  constructor(options: LanesOptions<Task>) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  push(task: Task): void {
    const { lane } = task;
    if (lane !== null && !this.#taken.add(lane)) {
      const behind = this.#waiting.get(lane);
      if (behind === undefined) this.#waiting.set(lane, [task]);
      else behind.push(task);
      return;
    }
    this.#ready.push(task);
    this.#start();
  }

  /** A task is over: the next of its lane may run. */
  finished({ lane }: Task): void {
    this.#running--;
    if (lane !== null) {
      const next = this.#waiting.size === 0 ? undefined : this.#nextOf(lane);
      if (next === undefined) this.#taken.delete(lane);
      else this.#ready.push(next);
    }
    this.#start();
  }

  /** A task's run is over, and the task is not: its lane waits for that, others need not. */
  ran(): void {
    this.#running--;
    this.#start();
  }

  /** A task that was just started waits: it makes room for another, and its lane waits with it. */
  stepAside(): void {
    this.#running--;
  }

  /** One that ran or stepped aside is counted again, to be over. */
  stepBack(): void {
    this.#running++;
  }

  /** One that stepped aside may run: it is started again as soon as there is room. */
  ready(task: Task): void {
    this.#ready.push(task);
    this.#start();
  }

  /** A closed gate starts nothing new; what runs goes on. */
  gate(open: boolean): void {
    this.#open = open;
    this.#start();
  }

  #nextOf(lane: string): Task | undefined {
    const behind = this.#waiting.get(lane);
    const next = behind?.shift();
    if (behind?.length === 0) this.#waiting.delete(lane);
    return next;
  }

  /** Tasks that are over at once come back here while others are being started: the loop takes them on, not the stack. */
  #start(): void {
    if (this.#starting) return;
    this.#starting = true;
    while (this.#open && this.#running < this.#options.concurrency) {
      const next = this.#ready[this.#head];
      if (next === undefined) break;
      this.#head++;
      this.#running++;
      this.#options.run(next);
    }
    this.#starting = false;
    if (this.#head === 0) return;
    // Most tasks start at once: emptied, the array is used again, and cut off it would be a new one for each of them.
    if (this.#head === this.#ready.length) this.#ready.length = 0;
    else if (this.#head > 1_024) this.#ready = this.#ready.slice(this.#head);
    else return;
    this.#head = 0;
  }
}
