/**
 * Carries answers out: hands them to the settler, then says to everybody whom it concerns that they are settled for good.
 *
 * In: answers with a settled outcome. Out: word of each, once. Outcomes of an exactly-once handler are settled when their transaction has
 * committed. Never here: what an outcome is (process.ts), the order of settling (settle.ts), when something is run again (work.ts).
 */
import type { CauceError } from "../ground/errors.ts";
import type { DeadLetter } from "../store/store.ts";
import { letterOf } from "./conclude.ts";
import type { Settled } from "./outcome.ts";
import type { OwnedPartition } from "./partition.ts";
import { patienceOf, persist, type Patience } from "./persist.ts";
import type { Answer } from "./runner.ts";
import { Settler } from "./settle.ts";
import { TransactionSettler } from "./transaction-settler.ts";
import type { WorkOptions } from "./work-options.ts";

/** An answer that can be settled. */
export interface Settling extends Answer {
  readonly outcome: Settled;
  readonly startedMs: number;
  /** Its task's. */
  readonly partition: OwnedPartition;
  /** Who waits for it; null where nobody does, and the task is over then. */
  readonly waiter: PromiseWithResolvers<Settled | "prepared"> | null;
}

export class CarryOut {
  readonly #options: WorkOptions;
  readonly #settler: Pick<Settler<Settling>, "add">;

  constructor(options: WorkOptions) {
    this.#options = options;
    const { names, bus, fence, detour, handler, committer, neighbours } = options;
    const store = neighbours?.over(handler.name, options.store) ?? options.store;
    const settling = {
      bus,
      store: fence === null ? store : fence.over(store),
      deadLetterTopic: names.deadLetterTopic,
      handlerName: handler.name,
      ...(detour && { detour }),
      patience: (signal: AbortSignal) => patienceOf(options, signal),
      letterFor: (answer: Settling, error: CauceError) => this.#letterFor(answer, error),
      settled: (answer: Settling, carriedOut: Settled) => this.#settled(answer, carriedOut),
      failed: ({ task, waiter }: Settling, error: unknown) => {
        if (waiter === null) options.over(task, error);
        else waiter.reject(error);
      },
    };
    this.#settler =
      committer === null
        ? new Settler(settling)
        : new TransactionSettler({
            ...settling,
            committer,
            prepared: (answer) => this.#prepared(answer),
            settled: (answer, carriedOut) => this.#committed(answer, carriedOut),
          });
  }

  /** Nobody waits for it: `over` is told. */
  add(answer: Settling): void {
    this.#options.settling(answer.task);
    this.#settler.add(answer);
  }

  /** Resolves once all are settled or in the next transaction, and tells of those settled in order. Rejects where one cannot be; the others are told of. */
  async all(settling: readonly Settling[]): Promise<void> {
    const answers = settling.map((answer): Settling => ({ ...answer, waiter: Promise.withResolvers() }));
    for (const answer of answers) this.#settler.add(answer);
    const ends = await Promise.allSettled(answers.map(async ({ waiter }) => waiter?.promise));
    for (const [at, answer] of answers.entries()) {
      const end = ends[at];
      if (end?.status !== "fulfilled" || end.value === undefined || end.value === "prepared") continue;
      await this.#pass(answer, end.value, patienceOf(this.#options, answer.partition.signal));
      this.#tell(answer, end.value);
    }
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  #settled(answer: Settling, carriedOut: Settled): void {
    const { task, waiter } = answer;
    if (waiter !== null) {
      waiter.resolve(carriedOut);
      return;
    }
    try {
      this.#tell(answer, carriedOut);
    } catch (error) {
      this.#options.over(task, error);
      return;
    }
    this.#options.over(task, null);
  }

  /** Its outputs go with the next transaction. Whoever waits for its place need not wait for that, unless its key is held. */
  #prepared(answer: Settling): void {
    const { task, waiter } = answer;
    this.#options.finished(task, this.#options.clock.monotonicMs());
    if (this.#heldBack(answer)) return;
    if (waiter === null) this.#options.over(task, null);
    else waiter.resolve("prepared");
  }

  /** Its transaction is committed: only now may anybody hear that it is settled. */
  #committed(answer: Settling, carriedOut: Settled): void {
    if (this.#heldBack(answer)) {
      this.#settled(answer, carriedOut);
      return;
    }
    try {
      this.#note(answer, carriedOut);
    } catch (error) {
      this.#options.log.error("word of a settled message could not be passed on", {
        handler: this.#options.handler.name,
        error,
      });
    }
  }

  /** The next message of a held key may go only once what this one wrote is there. */
  #heldBack({ processed }: Answer): boolean {
    return this.#options.fence !== null && processed.envelope.place !== null;
  }

  /** The next message of a held key goes once this one is through for good. */
  async #pass({ processed }: Answer, { kind }: Settled, patience: Patience): Promise<void> {
    const { fence } = this.#options;
    if (fence === null || kind === "retry" || processed.envelope.place === null) return;
    await persist(() => fence.pass(processed.envelope), patience);
  }

  #tell(answer: Settling, carriedOut: Settled): void {
    this.#options.finished(answer.task, this.#note(answer, carriedOut));
  }

  /** @returns when, on the monotonic clock */
  #note({ task, processed, startedMs }: Settling, carriedOut: Settled): number {
    const { clock, handler, watch, settled } = this.#options;
    const nowMs = clock.monotonicMs();
    watch?.settled(handler.name, task.record);
    settled?.(processed, carriedOut, nowMs - startedMs);
    task.record.letGo?.();
    return nowMs;
  }

  /** The end of a message whose output is too large to be published. */
  #letterFor({ task: { record }, processed: { envelope } }: Answer, error: CauceError): DeadLetter {
    return letterOf(record, envelope, this.#options, {
      cause: error.code,
      error: `an output could not be published: ${error.message}`,
      attempts: envelope.attempts + 1,
      deferrals: envelope.deferrals,
    });
  }
}
