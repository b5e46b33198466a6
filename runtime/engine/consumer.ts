/**
 * The consumer's door: one handler's subscription, from record to committed offset.
 *
 * take → lanes → process → settle → frontier → commit. In: a bus, a store, a handler. Out: progress.
 * No timer polls for data and nothing here sleeps for a retry. Bounded by records and bytes: not taking is the back
 * pressure. Never here: what an outcome is (process.ts) or how it is carried out (settle.ts).
 */
import type { Bus, BusTrouble, IncomingRecord, Subscription, TopicPartition } from "../bus/bus.ts";
import { pause } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import type { Store } from "../store/store.ts";

import { Committer } from "./committer.ts";
import { Intake } from "./intake.ts";
import { Lanes } from "./lanes.ts";
import { LIMITS } from "./limits.ts";
import { isSettled, type Settled } from "./outcome.ts";
import { OwnedPartition, partitionName, type Task } from "./partition.ts";
import type { Patience } from "./persist.ts";
import { processRecord, type Processed, type Processing } from "./process.ts";
import { settle } from "./settle.ts";

export interface ConsumerOptions extends Processing {
  readonly bus: Bus;
  readonly store: Pick<Store, "schedule" | "bury">;
  /** See `Settling.detour`. */
  readonly detour?: () => boolean;
  /** Told after a message was settled. */
  readonly settled?: (processed: Processed, outcome: Settled, elapsedMs: number) => void;
}

export interface ConsumerState {
  readonly handler: string;
  readonly ready: boolean;
  readonly inFlight: number;
  readonly buffered: number;
  readonly pausedPartitions: number;
  /** Why nothing is taken at the moment, or null: something that the handler needs is away. */
  readonly waitingFor: string | null;
  readonly lag: readonly (TopicPartition & { readonly records: number })[];
}

/** Starts consuming. Resolves when the subscription stands; assignments follow. */
export async function startConsumer(options: ConsumerOptions): Promise<Consumer> {
  const consumer = new Consumer(options);
  await consumer.open();
  return consumer;
}

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #lanes: Lanes<Task>;
  readonly #partitions = new Map<string, OwnedPartition>();
  readonly #committer: Committer;
  readonly #stop = new AbortController();
  readonly #intake: Intake;
  #subscription: Subscription | null = null;
  #loop: Promise<void> = Promise.resolve();
  /** What the handler lacks, by the number of runs that found it missing. */
  #unavailable = 0;
  #waitingFor: string | null = null;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    const { concurrency } = options.handler;
    this.#intake = new Intake({
      concurrency,
      clock: options.clock,
      partitions: () => this.#partitions.values(),
      pause: (partitions) => this.#subscription?.pause(partitions),
      resume: (partition) => this.#subscription?.resume([partition]),
    });
    this.#lanes = new Lanes({ concurrency, run: (task) => this.#run(task) });
    this.#committer = new Committer({
      clock: options.clock,
      log: options.log,
      commit: (offsets) => this.#commit(offsets),
    });
  }

  async open(): Promise<void> {
    const { bus, handler, names } = this.#options;
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
    this.#loop = this.#takeAll(this.#subscription);
  }

  get state(): ConsumerState {
    let pausedPartitions = 0;
    for (const partition of this.#partitions.values()) if (partition.paused) pausedPartitions++;
    return {
      handler: this.#options.handler.name,
      ready: this.#subscription?.ready ?? false,
      inFlight: this.#lanes.running,
      buffered: this.#intake.records,
      pausedPartitions,
      waitingFor: this.#waitingFor,
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
    await this.#giveBack([...this.#partitions.values()], deadlineMs);
    await this.#subscription?.close();
    await this.#loop;
    this.#committer.stop();
  }

  async #takeAll(subscription: Subscription): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const { room } = this.#intake;
      if (room <= 0) {
        await this.#intake.freed();
        continue;
      }
      const records = await subscription.take(Math.min(room, LIMITS.takeRecords));
      if (records.length === 0) return;
      for (const record of records) this.#accept(record);
    }
  }

  #accept(record: IncomingRecord): void {
    const partition = this.#partitions.get(partitionName(record));
    if (partition === undefined || !partition.active) return;
    const bytes = (record.value?.byteLength ?? 0) + (record.key?.byteLength ?? 0);
    const task = { record, ticket: partition.frontier.begin(record.offset), partition, bytes };
    this.#intake.add(task);
    this.#lanes.push(this.#laneOf(record), task);
  }

  /** The lane also spans the retry topic: one key, one lane, whichever way its messages come. */
  #laneOf(record: IncomingRecord): string | null {
    switch (this.#options.handler.order.by) {
      case "partition":
        return partitionName(record);
      case "key":
        return record.key === null ? null : Buffer.from(record.key).toString("latin1");
      case "none":
        return null;
    }
  }

  async #run(task: Task): Promise<void> {
    const { partition } = task;
    if (partition.active) {
      partition.started();
      try {
        if (await this.#processAndSettle(task)) {
          partition.frontier.finish(task.ticket);
          partition.progressMs = this.#options.clock.monotonicMs();
          this.#committer.dirty(partition);
        }
      } catch (error) {
        // Neither process nor settle throws anything but the end of this partition; all else is a defect worth a line.
        if (!(error instanceof CauceError && error.code === "aborted")) {
          this.#options.log.error("a message could not be settled; its partition stands still", {
            handler: this.#options.handler.name,
            partition: partitionName(partition),
            offset: task.record.offset,
            error,
          });
        }
      } finally {
        partition.ended();
      }
    }
    this.#intake.remove(task);
  }

  /** @returns whether the message is settled for good. */
  async #processAndSettle(task: Task): Promise<boolean> {
    const { clock, handler } = this.#options;
    const { signal } = task.partition;
    for (let tries = 1; ; tries++) {
      const startedMs = clock.monotonicMs();
      const processed = await processRecord(task.record, this.#options, signal);
      const { outcome } = processed;
      if (isSettled(outcome)) {
        const carriedOut = await settle(outcome, this.#settling(task, processed), this.#patience(signal));
        this.#options.settled?.(processed, carriedOut, clock.monotonicMs() - startedMs);
        return true;
      }
      if (outcome.kind === "aborted") return false;
      this.#lacks(outcome.reason, handler.name);
      await pause(
        clock,
        Math.min(LIMITS.unavailableMs * 2 ** Math.min(tries - 1, 6), LIMITS.longestUnavailableMs),
        signal,
      );
      this.#lacksNoMore();
      if (signal.aborted) return false;
    }
  }

  /** A handler that lacks something takes on nothing new until one of its runs gets through. */
  #lacks(reason: string, handler: string): void {
    if (this.#unavailable++ === 0) {
      this.#waitingFor = reason;
      this.#lanes.gate(false);
      this.#options.log.warn("handler waits: something it needs is away", { handler, reason });
    }
  }

  #lacksNoMore(): void {
    if (--this.#unavailable > 0) return;
    this.#waitingFor = null;
    this.#lanes.gate(true);
  }

  #settling(task: Task, { envelope }: Processed) {
    const { bus, store, names, handler, detour } = this.#options;
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
        record: { topic: handler.on.name, key: record.key, value: record.value, headers: record.headers },
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

  #assigned(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions)
      this.#partitions.set(partitionName(partition), new OwnedPartition(partition));
  }

  async #revoked(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#giveBack(this.#owned(partitions), LIMITS.drainMs);
  }

  #lost(partitions: readonly TopicPartition[]): void {
    for (const partition of this.#owned(partitions)) this.#forget(partition);
  }

  /** Drains, commits, forgets. What is not finished by the deadline is aborted and will be done elsewhere. */
  async #giveBack(partitions: readonly OwnedPartition[], deadlineMs: number): Promise<void> {
    for (const partition of partitions) partition.active = false;
    const late = new AbortController();
    const cancel = this.#options.clock.after(deadlineMs, () => late.abort());
    const drained = Promise.all(partitions.map((partition) => partition.drained()));
    await Promise.race([
      drained,
      new Promise<void>((resolve) => late.signal.addEventListener("abort", () => resolve())),
    ]);
    cancel();
    if (deadlineMs > 0) await this.#committer.flush(partitions);
    for (const partition of partitions) this.#forget(partition);
  }

  #forget(partition: OwnedPartition): void {
    partition.abandon();
    this.#committer.forget(partition);
    const name = partitionName(partition);
    if (this.#partitions.get(name) === partition) this.#partitions.delete(name);
  }

  #owned(partitions: readonly TopicPartition[]): OwnedPartition[] {
    return partitions.flatMap((partition) => this.#partitions.get(partitionName(partition)) ?? []);
  }

  async #commit(offsets: readonly (TopicPartition & { readonly offset: number })[]): Promise<void> {
    await this.#subscription?.commit(offsets);
  }

  #troubled(trouble: BusTrouble): void {
    const level = trouble.kind === "broker_back" ? "info" : "warn";
    this.#options.log[level](`bus: ${trouble.kind}`, {
      handler: this.#options.handler.name,
      message: trouble.message,
      ...(trouble.partition && { partition: partitionName(trouble.partition) }),
    });
  }
}
