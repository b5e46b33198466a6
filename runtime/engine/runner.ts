/**
 * Runs tasks under the watchdog's eyes.
 *
 * In: one task, or several of one partition where the handler takes batches. Out: what became of each. What the watchdog condemns is
 * not run; what it suspects runs alone. Never here: what an answer leads to (work.ts, carry-out.ts).
 */
import type { Watched } from "../watchdog/watch.ts";
import { condemn } from "./condemn.ts";
import type { ConsumerOptions } from "./consumer-options.ts";
import type { Envelope } from "./envelope.ts";
import type { Task } from "./partition.ts";
import { processBatch } from "./process-batch.ts";
import { attemptOf, processRecord, type Attempt, type Processed, type Processing } from "./process.ts";

export interface Answer {
  readonly task: Task;
  readonly processed: Processed;
}

export class Runner {
  readonly #options: ConsumerOptions & Processing;
  /** Made once: a run of one record costs no closure. */
  readonly #alone: Watched<Attempt, Processed>;

  constructor(options: ConsumerOptions & Processing) {
    this.#options = options;
    this.#alone = {
      handler: options.handler.name,
      at: ({ record }) => record,
      work: processRecord,
      condemned: condemn,
    };
  }

  /** One task whose envelope is read; decided when this returns, where nothing makes a promise. */
  one({ record, key, partition }: Task, envelope: Envelope): Processed | Promise<Processed> {
    const interruption = partition;
    return this.#run({ record, envelope, key, processing: this.#options, interruption, value: undefined });
  }

  /** @returns an answer a task, in their order. */
  async all(tasks: readonly Task[]): Promise<readonly Answer[]> {
    const { batch } = this.#options.handler;
    const [task] = tasks;
    if (batch !== null || task === undefined)
      return this.#processTogether(tasks, (some) => this.#batch(some));
    const processed = await this.#run(attemptOf(task.record, this.#options, task.partition));
    return [{ task, processed }];
  }

  #run(attempt: Attempt): Processed | Promise<Processed> {
    return this.#options.watch?.run(this.#alone, attempt) ?? processRecord(attempt);
  }

  async #batch(tasks: readonly Task[]): Promise<readonly Processed[]> {
    const { batch } = this.#options.handler;
    const [first] = tasks;
    if (batch === null || first === undefined) return [];
    const records = tasks.map(({ record }) => record);
    return processBatch(records, batch, { processing: this.#options, interruption: first.partition });
  }

  /** One run for all that the watchdog lets through at once; a suspect that it keeps back runs alone, later. */
  async #processTogether(
    tasks: readonly Task[],
    run: (tasks: readonly Task[]) => Promise<readonly Processed[]>,
  ): Promise<readonly Answer[]> {
    const together: Task[] = [];
    const ran = Promise.withResolvers<readonly Processed[]>();
    let gone = false;
    const watched: Watched<Task, Processed> = {
      handler: this.#options.handler.name,
      at: ({ record }) => record,
      work: async (task) => {
        if (gone) return only(await run([task]));
        const at = together.push(task) - 1;
        return only((await ran.promise).slice(at));
      },
      condemned: ({ record, partition }, words) => {
        return condemn(attemptOf(record, this.#options, partition), words);
      },
    };
    const { watch } = this.#options;
    const answers = tasks.map(async (task) => {
      return { task, processed: await (watch?.run(watched, task) ?? watched.work(task)) };
    });
    gone = true;
    if (together.length > 0) run(together).then(ran.resolve, ran.reject);
    return Promise.all(answers);
  }
}

function only([processed]: readonly Processed[]): Processed {
  if (processed === undefined) throw new Error("a batch answered fewer messages than it was given");
  return processed;
}
