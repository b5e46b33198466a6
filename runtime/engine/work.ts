/**
 * The work of one handler: process, then settle, and again what could not be decided yet.
 *
 * In: tasks of one partition that may run now, one, or several where the handler takes batches. Out: a call for each that
 * is settled for good. Never here: which tasks run (lanes.ts, batches.ts), offsets, what an outcome is (process.ts).
 */
import type { IncomingRecord } from "../bus/bus.ts";
import { pause } from "../ground/clock.ts";
import type { CauceError } from "../ground/errors.ts";
import type { ConsumerOptions } from "./consumer.ts";
import { condemn } from "./condemn.ts";
import { readEnvelope, withoutPlace } from "./envelope.ts";
import type { Fence } from "./fence.ts";
import { Hold } from "./hold.ts";
import { LIMITS } from "./limits.ts";
import { isSettled, type Settled } from "./outcome.ts";
import type { Task } from "./partition.ts";
import { persist, type Patience } from "./persist.ts";
import { processBatch } from "./process-batch.ts";
import { processRecord, type Processed, type Processing } from "./process.ts";
import { settle, settleTogether } from "./settle.ts";

export interface WorkOptions extends ConsumerOptions, Processing {
  /** Opens and closes the way for new runs. */
  readonly gate: (open: boolean) => void;
  /** Of a handler that holds keys back while one of their messages waits. */
  readonly fence: Fence | null;
}

interface Answer {
  readonly task: Task;
  readonly processed: Processed;
}

interface ReadyAnswer extends Answer {
  readonly outcome: Settled;
}

export class Work {
  readonly #options: WorkOptions;
  readonly #hold: Hold;
  /** What the handler lacks, by the number of runs that found it missing. */
  #unavailable = 0;
  #lacking: string | null = null;

  constructor(options: WorkOptions) {
    this.#options = options;
    const { clock, log, handler } = options;
    this.#hold = new Hold({ handler: handler.name, clock, log, gate: () => this.#gate() });
  }

  /** Why nothing new starts, or null. */
  get waitingFor(): string | null {
    return this.#hold.open ? this.#hold.reason : this.#lacking;
  }

  /** Is the handler paused because it fails at most messages? */
  get broken(): boolean {
    return this.#hold.open;
  }

  /** Tells each task that is settled. @throws CauceError `aborted` when the partition ends; others are defects. */
  async run(tasks: readonly Task[], settled: (task: Task) => void): Promise<void> {
    const [first] = tasks;
    if (first === undefined) return;
    const { partition } = first;
    let left =
      this.#options.fence === null ? tasks : await this.#admitted(first, this.#options.fence, settled);
    for (let tries = 1; left.length > 0; tries++) {
      const word = this.#hold.open ? await this.#hold.wait(partition) : "go";
      if (word === "left") return;
      const probe = word === "probe";
      const now = probe ? left.slice(0, 1) : left;
      const startedMs = this.#options.clock.monotonicMs();
      const answers = await this.#process(now);
      if (answers.some(({ processed }) => processed.outcome.kind === "aborted")) {
        if (probe) this.#hold.probed(null, "");
        return;
      }
      for (const { processed } of answers) this.#judge(processed, probe);
      const ready: ReadyAnswer[] = [];
      const again: Task[] = [];
      let lacking: Answer | undefined;
      for (const { task, processed } of answers) {
        const { outcome } = processed;
        if (outcome.kind === "unavailable") lacking = { task, processed };
        if (isSettled(outcome) && !(this.#hold.open && failedItself(processed) === true))
          ready.push({ task, processed, outcome });
        else again.push(task);
      }
      await this.#settle(ready, startedMs, settled);
      left = probe ? [...again, ...left.slice(1)] : again;
      if (lacking !== undefined && !(await this.#outwait(lacking, tries))) return;
    }
  }

  stop(): void {
    this.#hold.stop();
  }

  /** Tells the breaker. */
  #judge(processed: Processed, probe: boolean): void {
    const failed = failedItself(processed);
    const { verdict } = processed;
    const error = verdict !== null && verdict.kind !== "unavailable" ? verdict.error : "";
    if (probe) this.#hold.probed(failed, error);
    else this.#hold.note(processed.envelope.id, failed, error);
  }

  /** What of it may run now: nothing, where it waits at a fence or is through already. */
  async #admitted(task: Task, fence: Fence, settled: (task: Task) => void): Promise<readonly Task[]> {
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
          settled(task);
          return [];
        case "full":
          if (!(await this.#waitForRoom(task, tries))) return [];
      }
    }
  }

  async #settle(
    answers: readonly ReadyAnswer[],
    startedMs: number,
    settled: (task: Task) => void,
  ): Promise<void> {
    const [first] = answers;
    if (first === undefined) return;
    const patience = this.#patience(first.task.partition.signal);
    if (answers.length === 1) {
      const carriedOut = await settle(first.outcome, this.#settling(first), patience);
      await this.#pass(first, carriedOut, patience);
      this.#tell(first, carriedOut, startedMs, settled);
      return;
    }
    const items = answers.map((answer) => ({ outcome: answer.outcome, settling: this.#settling(answer) }));
    const carriedOut = await settleTogether(items, patience);
    for (const [at, answer] of answers.entries())
      this.#tell(answer, carriedOut[at] ?? answer.outcome, startedMs, settled);
  }

  /** The next message of a held key goes once this one is through for good. */
  async #pass({ processed }: Answer, { kind }: Settled, patience: Patience): Promise<void> {
    const { fence } = this.#options;
    if (fence === null || kind === "retry" || processed.envelope.place === null) return;
    await persist(() => fence.pass(processed.envelope), patience);
  }

  #tell(
    { task, processed }: Answer,
    carriedOut: Settled,
    startedMs: number,
    settled: (task: Task) => void,
  ): void {
    const { clock, handler, watch } = this.#options;
    watch?.settled(handler.name, task.record);
    this.#options.settled?.(processed, carriedOut, clock.monotonicMs() - startedMs);
    settled(task);
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

  #watched({ record }: Task, work: () => Promise<Processed>): Promise<Processed> {
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
      this.#gate();
      log.warn("handler waits: something it needs is away", { handler: handler.name, reason });
    }
    await pause(clock, pauseMs(tries), signal);
    if (--this.#unavailable === 0) {
      this.#lacking = null;
      this.#gate();
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

  #gate(): void {
    this.#options.gate(this.#unavailable === 0 && this.#hold.admits);
  }

  #settling({ task, processed: { envelope } }: Answer) {
    const { bus, names, handler, detour, fence } = this.#options;
    const store = fence === null ? this.#options.store : fence.over(this.#options.store);
    const { record } = task;
    return {
      bus,
      store,
      deadLetterTopic: names.deadLetterTopic,
      handlerName: handler.name,
      ...(detour && { detour }),
      letterFor: (error: CauceError) => ({
        handler: handler.name,
        messageId: envelope.id,
        delivery: envelope.delivery,
        record: {
          topic: handler.on.name,
          key: record.key,
          value: record.value,
          headers: withoutPlace(record.headers),
        },
        partition: record.partition,
        offset: record.offset,
        cause: error.code,
        error: `an output could not be published: ${error.message}`,
        attempts: envelope.attempts + 1,
        deferrals: envelope.deferrals,
      }),
    };
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
