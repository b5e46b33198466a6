/**
 * The work of one handler: process, then settle, and again what could not be decided yet.
 *
 * In: tasks that may run now, one, or several of one partition where the handler takes batches. Out: a call for each that
 * is settled for good. Never here: which tasks run (lanes.ts, batches.ts), the run itself (runner.ts), settling (carry-out.ts), offsets.
 */
import type { IncomingRecord } from "../bus/bus.ts";
import { pause } from "../ground/clock.ts";
import { admit } from "./admission.ts";
import { CarryOut, type Settling } from "./carry-out.ts";
import { readEnvelope } from "./envelope.ts";
import { Hold } from "./hold.ts";
import { LIMITS, unavailablePauseMs } from "./limits.ts";
import { isSettled } from "./outcome.ts";
import type { Task } from "./partition.ts";
import type { Processed } from "./process.ts";
import { Runner, type Answer } from "./runner.ts";
import { standInLine } from "./stand-in-line.ts";
import type { Postponed } from "./turn-gate.ts";
import type { WorkOptions } from "./work-options.ts";

export class Work {
  readonly #options: WorkOptions;
  readonly #hold: Hold;
  readonly #runner: Runner;
  readonly #carryOut: CarryOut;
  /** What the handler lacks, by the number of runs that found it missing. */
  #unavailable = 0;
  #lacking: string | null = null;

  constructor(options: WorkOptions) {
    this.#options = options;
    const { clock, log, handler } = options;
    this.#hold = new Hold({ handler: handler.name, clock, log, gate: () => this.gate() });
    this.#runner = new Runner(options);
    this.#carryOut = new CarryOut(options);
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
    const { record } = task;
    const envelope = readEnvelope(record);
    if (this.#hold.open || (fence !== null && !fence.passes(record, envelope))) {
      this.#goOn(task, this.run([task]));
      return;
    }
    const startedMs = clock.monotonicMs();
    const processed = this.#runner.one(task, envelope);
    if (!(processed instanceof Promise)) this.#decided(task, processed, startedMs);
    else
      processed.then(
        (later) => this.#decided(task, later, startedMs),
        (error: unknown) => this.#options.over(task, error),
      );
  }

  /** Sends a message whose turn is later back to its handler then. */
  postpone(task: Task, postponed: Postponed): void {
    this.#carryOut.add(standInLine(task, postponed, this.#options));
  }

  /** Works on tasks of one partition together. @throws CauceError `aborted` when the partition ends; others are defects. */
  async run(tasks: readonly Task[]): Promise<void> {
    const [first] = tasks;
    const { fence } = this.#options;
    if (first === undefined) return;
    if (fence === null) return await this.#runAll(tasks, 1);
    const admitted = await admit(first, fence, this.#options);
    if (admitted === "settled") this.#options.finished(first, this.#options.clock.monotonicMs());
    else if (admitted !== "left") await this.#runAll([admitted], 1);
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
      const { partition } = task;
      this.#carryOut.add({ task, processed, outcome, startedMs, partition, waiter: null });
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
      const answers = await this.#runner.all(probe ? left.slice(0, 1) : left);
      if (answers.some(({ processed }) => processed.outcome.kind === "aborted")) {
        if (probe) this.#hold.probed(null, "");
        return;
      }
      for (const { task, processed } of answers) this.#judge(task, processed, probe);
      const ready: Settling[] = [];
      const again: Task[] = [];
      let lacking: Answer | undefined;
      for (const { task, processed } of answers) {
        const { outcome } = processed;
        if (outcome.kind === "unavailable") lacking = { task, processed };
        if (isSettled(outcome) && !this.#withheld(processed)) {
          ready.push({ task, processed, outcome, startedMs, partition: task.partition, waiter: null });
        } else again.push(task);
      }
      await this.#carryOut.all(ready);
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
    if (failed === false && !probe && this.#hold.noteGood()) return;
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
    await pause(clock, unavailablePauseMs(tries), signal);
    if (--this.#unavailable === 0) {
      this.#lacking = null;
      this.gate();
    }
    return !signal.aborted;
  }

  /** Opens or closes the way for new runs, as things stand. */
  gate(): void {
    const room = this.#options.committer?.full !== true;
    this.#options.gate(room && this.#unavailable === 0 && this.#hold.admits);
  }
}

/** Did the handler's own code fail? Null where the run says nothing: a message nobody can read, a failure that burns nothing, an end it asked for. */
function failedItself({ outcome, verdict, envelope }: Processed): boolean | null {
  if (outcome.kind === "done") return false;
  if (verdict === null || verdict.kind === "unavailable" || verdict.attempts === envelope.attempts)
    return null;
  return verdict.kind === "dead" && verdict.cause === "GiveUp" ? null : true;
}
