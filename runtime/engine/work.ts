/**
 * The work of one handler: process, then settle, and again what could not be decided yet.
 *
 * In: tasks that may run now, one, or several of one partition where the handler takes batches. Out: a call for each that
 * is settled for good. Never here: which tasks run (lanes.ts, batches.ts), offsets, what an outcome is (process.ts).
 */
import type { IncomingRecord } from "../bus/bus.ts";
import { pause } from "../ground/clock.ts";
import type { CauceError } from "../ground/errors.ts";
import type { DeadLetter } from "../store/store.ts";
import type { ConsumerOptions } from "./consumer-options.ts";
import { letterOf } from "./conclude.ts";
import { condemn } from "./condemn.ts";
import { readEnvelope, withoutPlace } from "./envelope.ts";
import type { Fence } from "./fence.ts";
import { Hold } from "./hold.ts";
import { LIMITS } from "./limits.ts";
import { isSettled, type Settled } from "./outcome.ts";
import type { OwnedPartition, Task } from "./partition.ts";
import { persist, type Patience } from "./persist.ts";
import { processBatch } from "./process-batch.ts";
import { processRecord, type Processed, type Processing } from "./process.ts";
import { Settler } from "./settle.ts";
import type { TransactionCommitter } from "./transaction-committer.ts";
import { TransactionSettler } from "./transaction-settler.ts";

export interface WorkOptions extends ConsumerOptions, Processing {
  /** Opens and closes the way for new runs. */
  readonly gate: (open: boolean) => void;
  /** Of a handler whose outputs are there exactly once. */
  readonly committer: TransactionCommitter | null;
  /** Of a handler that holds keys back while one of their messages waits. */
  readonly fence: Fence | null;
  /** Told of each message that is settled for good, and when, on the monotonic clock. */
  readonly finished: (task: Task, atMs: number) => void;
  /**
   * Told once of each task given to `start`: nothing of it runs any more. With what ended it where it was not settled: CauceError
   * `aborted` when its partition ended, all else is a defect.
   */
  readonly over: (task: Task, error: unknown) => void;
}

interface Answer {
  readonly task: Task;
  readonly processed: Processed;
}

/** An answer that is to be settled. */
interface ReadyAnswer extends Answer {
  readonly outcome: Settled;
  readonly partition: OwnedPartition;
  readonly startedMs: number;
  /** Who waits for it; null where nobody does, and the task is over then. */
  readonly waiter: PromiseWithResolvers<Settled | "prepared"> | null;
}

export class Work {
  readonly #options: WorkOptions;
  readonly #hold: Hold;
  readonly #settler: Pick<Settler<ReadyAnswer>, "add">;
  /** What the handler lacks, by the number of runs that found it missing. */
  #unavailable = 0;
  #lacking: string | null = null;

  constructor(options: WorkOptions) {
    this.#options = options;
    const { clock, log, handler, names, bus, fence, detour } = options;
    this.#hold = new Hold({ handler: handler.name, clock, log, gate: () => this.gate() });
    const settling = {
      bus,
      store: fence === null ? options.store : fence.over(options.store),
      deadLetterTopic: names.deadLetterTopic,
      handlerName: handler.name,
      ...(detour && { detour }),
      patience: (signal: AbortSignal) => this.#patience(signal),
      letterFor: (answer: ReadyAnswer, error: CauceError) => this.#letterFor(answer, error),
      settled: (answer: ReadyAnswer, carriedOut: Settled) => this.#settled(answer, carriedOut),
      failed: ({ task, waiter }: ReadyAnswer, error: unknown) => {
        if (waiter === null) options.over(task, error);
        else waiter.reject(error);
      },
    };
    const { committer } = options;
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

  /** Why nothing new starts, or null. */
  get waitingFor(): string | null {
    return this.#hold.open ? this.#hold.reason : this.#lacking;
  }

  /** Is the handler paused because it fails at most messages? */
  get broken(): boolean {
    return this.#hold.open;
  }

  /**
   * Works on one task. Where nothing holds it back and neither schema nor handler make a promise, it is decided when this returns,
   * and carried out with what else is decided in this turn of the event loop.
   */
  start(task: Task): void {
    const { clock, fence } = this.#options;
    const { record, key, partition } = task;
    const envelope = readEnvelope(record);
    if (this.#hold.open || (fence !== null && !fence.passes(record, envelope))) {
      this.#goOn(task, this.run([task]));
      return;
    }
    const startedMs = clock.monotonicMs();
    const work = () => processRecord(record, this.#options, partition, { envelope, key });
    const processed = this.#watched(task, work);
    if (!(processed instanceof Promise)) this.#decided(task, processed, startedMs);
    else
      processed.then(
        (later) => this.#decided(task, later, startedMs),
        (error: unknown) => this.#options.over(task, error),
      );
  }

  /** Works on tasks of one partition together. @throws CauceError `aborted` when the partition ends; others are defects. */
  async run(tasks: readonly Task[]): Promise<void> {
    const [first] = tasks;
    const { fence } = this.#options;
    if (first !== undefined)
      await this.#runAll(fence === null ? tasks : await this.#admitted(first, fence), 1);
  }

  /** The plain end of a run is settled without a promise; what must be looked at again takes the long way. */
  #decided(task: Task, processed: Processed, startedMs: number): void {
    const { outcome } = processed;
    if (outcome.kind === "aborted") {
      this.#options.over(task, null);
      return;
    }
    this.#judge(task, processed, false);
    if (isSettled(outcome) && !this.#withheld(processed)) {
      this.#settler.add({ task, processed, outcome, partition: task.partition, startedMs, waiter: null });
    } else this.#goOn(task, this.#again({ task, processed }));
  }

  /** A task that is worked on until a promise settles. */
  #goOn(task: Task, work: Promise<void>): void {
    work.then(
      () => this.#options.over(task, null),
      (error: unknown) => this.#options.over(task, error),
    );
  }

  async #again({ task, processed }: Answer): Promise<void> {
    if (processed.outcome.kind === "unavailable" && !(await this.#outwait({ task, processed }, 1))) return;
    await this.#runAll([task], 2);
  }

  /** Until all are settled: what cannot be decided yet is run again. */
  async #runAll(tasks: readonly Task[], firstTry: number): Promise<void> {
    let left = tasks;
    for (let tries = firstTry; ; tries++) {
      const [first] = left;
      if (first === undefined) return;
      const word = this.#hold.open ? await this.#hold.wait(first.partition) : "go";
      if (word === "left") return;
      const probe = word === "probe";
      const startedMs = this.#options.clock.monotonicMs();
      const answers = await this.#process(probe ? left.slice(0, 1) : left);
      if (answers.some(({ processed }) => processed.outcome.kind === "aborted")) {
        if (probe) this.#hold.probed(null, "");
        return;
      }
      for (const { task, processed } of answers) this.#judge(task, processed, probe);
      const ready: ReadyAnswer[] = [];
      const again: Task[] = [];
      let lacking: Answer | undefined;
      for (const { task, processed } of answers) {
        const { outcome } = processed;
        if (outcome.kind === "unavailable") lacking = { task, processed };
        if (isSettled(outcome) && !this.#withheld(processed)) {
          const waiter = Promise.withResolvers<Settled | "prepared">();
          ready.push({ task, processed, outcome, partition: task.partition, startedMs, waiter });
        } else again.push(task);
      }
      await this.#carryOut(ready);
      left = probe ? [...again, ...left.slice(1)] : again;
      if (lacking !== undefined && !(await this.#outwait(lacking, tries))) return;
    }
  }

  /** Told of a message that an earlier owner had finished, and that is not run again. */
  finishedBefore(record: IncomingRecord): void {
    this.#hold.finishedBefore(record);
  }

  /** Goes on where it is paused because it failed at most messages. */
  resume(): void {
    this.#hold.resume();
  }

  stop(): void {
    this.#hold.stop();
  }

  /** Tells the breaker. */
  #judge(task: Task, processed: Processed, probe: boolean): void {
    const failed = failedItself(processed);
    const { verdict } = processed;
    const error = verdict !== null && verdict.kind !== "unavailable" ? verdict.error : "";
    if (probe) this.#hold.probed(failed, error);
    else this.#hold.note(this.#subjectOf(task, processed), failed, error);
  }

  /**
   * What the breaker counts. In order of keys, a key counts a few times at most: its messages run one by one, so those of one bad
   * key come in a row once the others are through, and say nothing about the others.
   */
  #subjectOf({ lane }: Task, { envelope: { id } }: Processed): string {
    if (this.#options.handler.order.by !== "key" || lane === null) return id;
    let sum = 0;
    for (let at = 0; at < id.length; at++) sum = (Math.imul(sum, 31) + id.charCodeAt(at)) >>> 0;
    return `${lane}/${sum % LIMITS.breaker.perKey}`;
  }

  /** While the breaker is open, what the handler's own code failed at is not settled. */
  #withheld(processed: Processed): boolean {
    return this.#hold.open && failedItself(processed) === true;
  }

  /** What of it may run now: nothing, where it waits at a fence or is through already. */
  async #admitted(task: Task, fence: Fence): Promise<readonly Task[]> {
    const { record, partition } = task;
    const patience = this.#patience(partition.signal);
    const envelope = readEnvelope(record);
    for (let tries = 1; ; tries++) {
      const admission = await persist(async () => fence.admit(record, envelope), patience);
      switch (admission) {
        case "run":
          return [task];
        case "without_place":
          return [{ ...task, record: standingNowhere(record) }];
        case "elsewhere":
          this.#options.finished(task, this.#options.clock.monotonicMs());
          return [];
        case "full":
          if (!(await this.#waitForRoom(task, tries))) return [];
      }
    }
  }

  /** Resolves once all are settled or in the next transaction, and tells of those settled in order. Rejects where one cannot be; the others are told of. */
  async #carryOut(answers: readonly ReadyAnswer[]): Promise<void> {
    for (const answer of answers) this.#settler.add(answer);
    const ends = await Promise.allSettled(answers.map(async ({ waiter }) => waiter?.promise));
    for (const [at, answer] of answers.entries()) {
      const end = ends[at];
      if (end?.status !== "fulfilled" || end.value === undefined || end.value === "prepared") continue;
      await this.#pass(answer, end.value, this.#patience(answer.partition.signal));
      this.#tell(answer, end.value);
    }
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  #settled(answer: ReadyAnswer, carriedOut: Settled): void {
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
  #prepared(answer: ReadyAnswer): void {
    const { task, waiter } = answer;
    this.#options.finished(task, this.#options.clock.monotonicMs());
    if (this.#heldBack(answer)) return;
    if (waiter === null) this.#options.over(task, null);
    else waiter.resolve("prepared");
  }

  /** Its transaction is committed: only now may anybody hear that it is settled. */
  #committed(answer: ReadyAnswer, carriedOut: Settled): void {
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

  #tell(answer: ReadyAnswer, carriedOut: Settled): void {
    this.#options.finished(answer.task, this.#note(answer, carriedOut));
  }

  /** @returns when, on the monotonic clock */
  #note({ task, processed, startedMs }: ReadyAnswer, carriedOut: Settled): number {
    const { clock, handler, watch, settled } = this.#options;
    const nowMs = clock.monotonicMs();
    watch?.settled(handler.name, task.record);
    settled?.(processed, carriedOut, nowMs - startedMs);
    return nowMs;
  }

  async #process(tasks: readonly Task[]): Promise<readonly Answer[]> {
    const { batch } = this.#options.handler;
    const [task] = tasks;
    if (batch !== null || task === undefined)
      return this.#processTogether(tasks, (some) => this.#batch(some));
    const work = () => processRecord(task.record, this.#options, task.partition);
    return [{ task, processed: await this.#watched(task, work) }];
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
    const answers = tasks.map(async (task) => {
      const processed = await this.#watched(task, async () => {
        if (gone) return only(await run([task]));
        const at = together.push(task) - 1;
        return only((await ran.promise).slice(at));
      });
      return { task, processed };
    });
    gone = true;
    if (together.length > 0) run(together).then(ran.resolve, ran.reject);
    return Promise.all(answers);
  }

  #watched({ record }: Task, work: () => Processed | Promise<Processed>): Processed | Promise<Processed> {
    const { watch, handler } = this.#options;
    if (watch === undefined) return work();
    const condemned = (words: string) => condemn(record, this.#options, words);
    return watch.run({ handler: handler.name, at: record, work, condemned });
  }

  /** A handler that lacks something takes on nothing new until one of its runs gets through. @returns whether to go on. */
  async #outwait({ task, processed }: Answer, tries: number): Promise<boolean> {
    const { clock, log, handler } = this.#options;
    const { signal } = task.partition;
    const reason = processed.outcome.kind === "unavailable" ? processed.outcome.reason : "";
    if (this.#unavailable++ === 0) {
      this.#lacking = reason;
      this.gate();
      log.warn("handler waits: something it needs is away", { handler: handler.name, reason });
    }
    await pause(clock, pauseMs(tries), signal);
    if (--this.#unavailable === 0) {
      this.#lacking = null;
      this.gate();
    }
    return !signal.aborted;
  }

  /** More of its key wait than may: its partition waits too. @returns whether to go on. */
  async #waitForRoom({ partition, record }: Task, tries: number): Promise<boolean> {
    const { clock, log, handler } = this.#options;
    if (tries === 1)
      log.warn("too many messages wait at a fence; their partition waits too", {
        handler: handler.name,
        topic: record.topic,
        partition: record.partition,
        offset: record.offset,
      });
    await pause(clock, pauseMs(tries), partition.signal);
    return partition.active;
  }

  /** Opens or closes the way for new runs, as things stand. */
  gate(): void {
    const room = this.#options.committer?.full !== true;
    this.#options.gate(room && this.#unavailable === 0 && this.#hold.admits);
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

  #patience(signal: AbortSignal): Patience {
    const { clock, random, log, handler } = this.#options;
    return {
      clock,
      random,
      signal,
      failed: (error, tries) => {
        if (tries === 1)
          log.warn("waiting for infrastructure", {
            handler: handler.name,
            code: error.code,
            error: error.message,
          });
      },
    };
  }
}

/** Field by field: those of a batch are getters, which a spread would lose. */
function standingNowhere(record: IncomingRecord): IncomingRecord {
  const { topic, partition, offset, timestampMs, key, value, headers } = record;
  return { topic, partition, offset, timestampMs, key, value, headers: withoutPlace(headers) };
}

function pauseMs(tries: number): number {
  return Math.min(LIMITS.unavailableMs * 2 ** Math.min(tries - 1, 6), LIMITS.longestUnavailableMs);
}

/** Did the handler's own code fail? Null where the run says nothing: a message nobody can read, a failure that burns nothing, an end it asked for. */
function failedItself({ outcome, verdict, envelope }: Processed): boolean | null {
  if (outcome.kind === "done") return false;
  if (verdict === null || verdict.kind === "unavailable" || verdict.attempts === envelope.attempts)
    return null;
  return verdict.kind === "dead" && verdict.cause === "GiveUp" ? null : true;
}

function only([processed]: readonly Processed[]): Processed {
  if (processed === undefined) throw new Error("a batch answered fewer messages than it was given");
  return processed;
}
