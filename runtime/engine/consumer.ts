/**
 * The consumer's door: one handler's subscription, from record to committed offset.
 *
 * take → lanes → process → settle → frontier → commit. In: a bus, a store, a handler. Out: progress.
 * No timer polls for data and nothing here sleeps for a retry. Bounded by records and bytes: not taking is the back
 * pressure. Never here: what an outcome is (process.ts) or how it is carried out (settle.ts).
 */
import type {
  AssignedPartition,
  BusTrouble,
  CommittedOffset,
  IncomingRecord,
  Subscription,
  TopicPartition,
  Transactions,
} from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import { failpoint } from "../ground/failpoint.ts";
import { nextTurn } from "../ground/turn.ts";
import { Batches } from "./batches.ts";
import { Committer, type Commits } from "./committer.ts";
import type { ConsumerOptions, ConsumerState } from "./consumer-options.ts";
import { Deadlines } from "./deadlines.ts";
import { Fence } from "./fence.ts";
import { Intake } from "./intake.ts";
import { Lanes } from "./lanes.ts";
import { LIMITS } from "./limits.ts";
import { partitionName, type Task } from "./partition.ts";
import { Partitions } from "./partitions.ts";
import { patienceOf } from "./persist.ts";
import type { Processing } from "./process.ts";
import { taskOf } from "./task-of.ts";
import { TransactionCommitter } from "./transaction-committer.ts";
import { TurnGate } from "./turn-gate.ts";
import { Work } from "./work.ts";

/** Starts consuming. Resolves when the subscription stands; assignments follow. */
export async function startConsumer(options: ConsumerOptions): Promise<Consumer> {
  const consumer = new Consumer(options);
  await consumer.open();
  return consumer;
}

export class Consumer {
  readonly #options: ConsumerOptions & Processing;
  readonly #lanes: Lanes<Task> | Batches<Task>;
  readonly #work: Work;
  readonly #fence: Fence | null;
  /** Of a handler with a limit. */
  readonly #turns: TurnGate | null;
  readonly #committer: Commits;
  readonly #partitions: Partitions;
  #transactions: Transactions | null = null;
  readonly #stop = new AbortController();
  readonly #intake: Intake;
  readonly #deadlines: Deadlines;
  #subscription: Subscription | null = null;
  #loop: Promise<void> = Promise.resolve();
  #skipped = 0;
  #endResume: () => void = () => undefined;

  constructor(options: ConsumerOptions) {
    const { concurrency, timeoutMs, batch } = options.handler;
    this.#deadlines = new Deadlines({ clock: options.clock, afterMs: timeoutMs });
    const { limit } = options.handler;
    this.#turns =
      limit === null
        ? null
        : new TurnGate({
            ...options,
            limit,
            turns: options.store.turns,
            patience: (signal) => patienceOf(options, signal),
          });
    const turns = this.#turns;
    this.#options = {
      ...options,
      deadlines: this.#deadlines,
      ...(turns && { turnOf: (record: IncomingRecord) => turns.turnOf(record) }),
    };
    this.#fence = fenceOf(options);
    const together = options.handler.guarantee === "exactly-once" ? this.#transactionCommitter() : null;
    this.#work = new Work({
      ...this.#options,
      committer: together,
      fence: this.#fence,
      gate: (open) => this.#lanes.gate(open),
      settling: (task) => this.#settling(task),
      finished: (task, atMs) => this.#finished(task, atMs),
      over: (task, error) => this.#over(task, error),
    });
    this.#intake = new Intake({
      concurrency: concurrency * (batch?.max ?? 1),
      clock: options.clock,
      partitions: () => this.#partitions.all(),
      pause: (partitions) => this.#subscription?.pause(partitions),
      resume: (partition) => this.#subscription?.resume([partition]),
    });
    this.#lanes =
      batch === null
        ? new Lanes({ concurrency, run: (task) => this.#start(task) })
        : new Batches({
            concurrency,
            max: batch.max,
            withinMs: batch.withinMs,
            ordered: options.handler.order.by === "partition",
            clock: options.clock,
            alone: (task) => task.alone,
            run: (tasks) => this.#runTogether(tasks),
          });
    this.#committer =
      together ??
      new Committer({
        clock: options.clock,
        log: options.log,
        commit: (offsets) => this.#commit(offsets),
      });
    const { clock, log, handler } = options;
    this.#partitions = new Partitions({ handler: handler.name, committer: this.#committer, clock, log });
  }

  #transactionCommitter(): TransactionCommitter {
    const { clock, log } = this.#options;
    return new TransactionCommitter({
      clock,
      log,
      transactions: () => this.#transactions,
      idle: () => this.#intake.records === 0,
      changed: () => this.#work.gate(),
    });
  }

  async open(): Promise<void> {
    const { bus, handler, names, store } = this.#options;
    this.#endResume = store.onResume(handler.name, () => this.#work.resume());
    this.#subscription = await bus.subscribe({
      group: names.group,
      topics: [handler.on.name, names.retryTopic],
      startAt: handler.startAt,
      drainMs: LIMITS.drainMs + LIMITS.commitMs,
      ownership: {
        assigned: (partitions) => this.#assigned(partitions),
        revoked: (partitions) => this.#revoked(partitions),
        lost: (partitions) => this.#lost(partitions),
        troubled: (trouble) => this.#troubled(trouble),
      },
    });
    // Unique: no two processes ever fence each other. What fences one that is stalled is the group's generation.
    if (handler.guarantee === "exactly-once")
      this.#transactions = this.#subscription.transactions(`${names.group}.${crypto.randomUUID()}`);
    this.#loop = this.#takeAll(this.#subscription);
  }

  get state(): ConsumerState {
    let pausedPartitions = 0;
    for (const partition of this.#partitions.all()) if (partition.paused) pausedPartitions++;
    return {
      handler: this.#options.handler.name,
      ready: this.#subscription?.ready ?? false,
      inFlight: this.#lanes.running,
      buffered: this.#intake.records,
      pausedPartitions,
      skipped: this.#skipped,
      fencedKeys: this.#fence?.size ?? null,
      broken: this.#work.broken,
      waitingFor: this.#work.waitingFor,
      outOfRange: [...this.#partitions.all()]
        .filter((partition) => partition.outOfRange)
        .map((partition) => partitionName(partition)),
      lag: this.#subscription?.lag() ?? [],
    };
  }

  /**
   * Stops taking, lets what runs finish (at most `deadlineMs`, then aborts it), commits, leaves the group. Work that was not
   * finished is no failure: it is not committed and someone else does it. 0 gives up at once and commits nothing: for a broker
   * that is gone.
   */
  async stop(deadlineMs: number): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#intake.wake();
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    await this.#partitions.giveBack([...this.#partitions.all()], deadlineMs);
    this.#committer.stop();
    await this.#transactions?.close(deadlineMs > 0 ? LIMITS.commitMs : 0);
    // What drain and commit did not need of their time is the group's.
    const leftMs = deadlineMs + LIMITS.commitMs - (clock.monotonicMs() - startMs);
    await this.#subscription?.close(deadlineMs > 0 ? Math.max(0, leftMs) : 0);
    await this.#loop;
    this.#deadlines.stop();
    this.#turns?.stop();
    this.#work.stop();
    this.#endResume();
    this.#fence?.stop();
    if (this.#lanes instanceof Batches) this.#lanes.stop();
  }

  async #takeAll(subscription: Subscription): Promise<void> {
    const { clock, handler, neighbours } = this.#options;
    let turnMs = clock.monotonicMs();
    while (!this.#stop.signal.aborted) {
      const { room } = this.#intake;
      if (room <= 0) {
        await this.#intake.freed();
        continue;
      }
      const records = await subscription.take(Math.min(room, LIMITS.takeRecords));
      if (records.length === 0) return;
      neighbours?.took(handler.name);
      const { assignments } = this.#partitions;
      for (let at = 0; at < records.length; at++) {
        const record = records[at];
        if (record !== undefined) this.#accept(record, assignments);
        if (at % LIMITS.lookAtClockEvery > 0 || clock.monotonicMs() - turnMs <= LIMITS.turnMs) continue;
        await nextTurn();
        turnMs = clock.monotonicMs();
      }
    }
  }

  /** @param assignments How many there had been when it was taken: a partition that came after that reads it again. */
  #accept(record: IncomingRecord, assignments: number): void {
    const partition = this.#partitions.of(record);
    if (partition === undefined || !partition.active || partition.assignment > assignments) return;
    failpoint("consume.taken");
    if (partition.frontier.taken(record.offset)) {
      // librdkafka hands a record out twice when a rebalance pauses its partition in the very moment in which it is taken.
      record.letGo?.();
      return;
    }
    const ticket = partition.frontier.begin(record.offset);
    if (partition.frontier.wasFinished(record.offset)) {
      this.#skipped++;
      this.#work.finishedBefore(record);
      record.letGo?.();
      partition.frontier.finish(ticket);
      this.#committer.dirty(partition);
      return;
    }
    const task = taskOf(record, ticket, partition, this.#options);
    this.#intake.add(task);
    if (this.#lanes instanceof Batches) this.#lanes.push(partition.name, task);
    else this.#lanes.push(task);
  }

  #start(task: Task): void {
    const { partition } = task;
    if (!partition.active) {
      this.#leaves(task);
      return;
    }
    if (this.#turns !== null && !this.#turns.has(task)) {
      this.#standInLine(task, this.#turns);
      return;
    }
    partition.started();
    try {
      this.#work.start(task);
    } catch (error) {
      this.#over(task, error);
    }
  }

  /** Waits for its turn, beside those that run; its lane waits with it. */
  #standInLine(task: Task, turns: TurnGate): void {
    const lanes = this.#lanes;
    if (!(lanes instanceof Lanes)) return;
    lanes.stepAside();
    turns.ask(task).then(
      (admitted) => {
        if (admitted === "run") {
          lanes.ready(task);
          return;
        }
        lanes.stepBack();
        if (admitted === "left" || !task.partition.active) {
          this.#leaves(task);
          return;
        }
        task.partition.started();
        this.#work.postpone(task, admitted);
      },
      (error: unknown) => {
        lanes.stepBack();
        this.#notSettled(task, error);
        this.#leaves(task);
      },
    );
  }

  /** What it made waits for broker or database. Its place among those that run is another's: else small groups would chase each other. */
  #settling(task: Task): void {
    if (!(this.#lanes instanceof Lanes)) return;
    task.settling = true;
    this.#lanes.ran();
  }

  /** A message is settled for good: its offset may move. */
  #finished({ partition, ticket }: Task, atMs: number): void {
    const known = partition.frontier.moved;
    partition.frontier.finish(ticket);
    partition.progressMs = atMs;
    // Once is enough until its next commit.
    if (!known) this.#committer.dirty(partition);
  }

  /** Nothing of this task runs any more. */
  #over(task: Task, error: unknown): void {
    if (error !== null) this.#notSettled(task, error);
    task.partition.ended();
    this.#leaves(task);
  }

  #leaves(task: Task): void {
    this.#turns?.ended(task);
    this.#intake.remove(task);
    if (!(this.#lanes instanceof Lanes)) return;
    if (task.settling) this.#lanes.stepBack();
    this.#lanes.finished(task);
  }

  /** A batch: tasks of one partition. */
  async #runTogether(tasks: readonly Task[]): Promise<void> {
    const [first] = tasks;
    if (first === undefined) return;
    const { partition } = first;
    if (partition.active) {
      partition.started();
      try {
        await this.#work.run(tasks);
      } catch (error) {
        this.#notSettled(first, error);
      }
      partition.ended();
    }
    for (const task of tasks) this.#intake.remove(task);
  }

  /** Neither process nor settle throws anything but the end of the partition; all else is a defect worth a line. */
  #notSettled({ partition, record }: Task, error: unknown): void {
    if (error instanceof CauceError && error.code === "aborted") return;
    this.#options.log.error("a message could not be settled; its partition stands still", {
      handler: this.#options.handler.name,
      partition: partitionName(partition),
      offset: record.offset,
      error,
    });
  }

  /** What comes while it stops is not begun: nobody would commit it any more. */
  #assigned(partitions: readonly AssignedPartition[]): void {
    if (this.#stop.signal.aborted) return;
    this.#options.watch?.assigned();
    this.#fence?.read();
    this.#partitions.add(partitions);
  }

  async #revoked(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#partitions.giveBack(this.#partitions.owned(partitions), LIMITS.drainMs);
  }

  #lost(partitions: readonly TopicPartition[]): void {
    for (const partition of this.#partitions.owned(partitions)) this.#partitions.forget(partition);
  }

  async #commit(offsets: readonly CommittedOffset[]): Promise<void> {
    await this.#subscription?.commit(offsets);
  }

  #troubled(trouble: BusTrouble): void {
    const level = trouble.kind === "broker_back" ? "info" : "warn";
    if (trouble.kind === "offset_out_of_range" && trouble.partition) {
      for (const partition of this.#partitions.owned([trouble.partition])) partition.outOfRange = true;
    }
    this.#options.log[level](`bus: ${trouble.kind}`, {
      handler: this.#options.handler.name,
      message: trouble.message,
      ...(trouble.partition && { partition: partitionName(trouble.partition) }),
    });
  }
}

function fenceOf({ handler, names, store, log }: ConsumerOptions): Fence | null {
  const { order } = handler;
  if (order.by !== "key" || order.whileRetrying !== "hold") return null;
  return new Fence({ handler: handler.name, names, fences: store.fences, log });
}
