/**
 * Commits outputs and offsets together, for a handler whose outputs are there exactly once.
 *
 * In: what each finished message writes, then word that its partition has something finished. Out: one transaction after the
 * other, with everything that its offsets cover. What was prepared goes again, without its handler, until a transaction with it is
 * committed or its partition ends. Never here: rows (transaction-settler.ts: they are there before), how a transaction is made (the bus).
 */
import type { CommittedOffset, OutgoingRecord, Transactions } from "../bus/bus.ts";
import { pause, type Clock } from "../ground/clock.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";
import { readFinishedAbove, writeFinishedAbove } from "./commit-metadata.ts";
import type { Commits } from "./committer.ts";
import type { Progress } from "./frontier.ts";
import { LIMITS } from "./limits.ts";
import type { OwnedPartition } from "./partition.ts";

/** What one finished message writes. */
export interface Prepared {
  readonly partition: OwnedPartition;
  readonly offset: number;
  /** What is kept until then, of the message itself and of what it writes. */
  readonly bytes: number;
  readonly outputs: readonly { readonly record: OutgoingRecord }[];
  /** Makes what is written instead where one of them is too large; itself where nothing could be smaller. */
  lesser(error: CauceError): Promise<Prepared>;
  /** Told once it is committed. Must not throw. */
  committed(): void;
}

export interface TransactionCommitterOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly transactions: () => Transactions | null;
  /** Does nothing run that may soon be finished too? */
  readonly idle: () => boolean;
  /** Told when `full` changes. */
  readonly changed: () => void;
}

interface Moved {
  readonly partition: OwnedPartition;
  readonly progress: Progress;
  readonly offset: CommittedOffset;
}

export class TransactionCommitter implements Commits {
  readonly #options: TransactionCommitterOptions;
  readonly #dirty = new Set<OwnedPartition>();
  /** In the order in which they were finished. */
  #prepared: Prepared[] = [];
  #bytes = 0;
  #full = false;
  #cancel: (() => void) | null = null;
  #running: Promise<void> = Promise.resolve();
  readonly #stop = new AbortController();
  /** A broker may allow less text beside an offset than Kafka's default. */
  #plain = false;
  #failures = 0;

  constructor(options: TransactionCommitterOptions) {
    this.#options = options;
  }

  /** Nothing more should start: as much waits as one transaction may hold. */
  get full(): boolean {
    return this.#full;
  }

  /** Takes what a message writes. Its offset is finished in the same turn: no transaction has one without the other. */
  add(prepared: Prepared): void {
    this.#prepared.push(prepared);
    this.#bytes += prepared.bytes;
    this.#weigh();
  }

  dirty(partition: OwnedPartition): void {
    this.#dirty.add(partition);
    this.#arm();
  }

  async flush(partitions: readonly OwnedPartition[], withinMs: number): Promise<void> {
    const passed = Promise.withResolvers<"late">();
    const cancel = this.#options.clock.after(withinMs, () => passed.resolve("late"));
    const moved = () =>
      partitions.some(({ frontier, signal }) => frontier.progress !== null && !signal.aborted);
    while (moved() && !this.#stop.signal.aborted) {
      if ((await Promise.race([this.#commit(), passed.promise])) === "late") break;
    }
    cancel();
  }

  forget(partition: OwnedPartition): void {
    this.#dirty.delete(partition);
    this.#keep(this.#prepared.filter((prepared) => prepared.partition !== partition));
  }

  stop(): void {
    this.#stop.abort();
    this.#cancel?.();
  }

  /** Soon: once nothing runs, at the latest when a transaction's work is gathered. */
  #arm(): void {
    if (this.#cancel !== null || this.#stop.signal.aborted) return;
    const { clock, idle } = this.#options;
    const startedMs = clock.monotonicMs();
    const look = () => {
      const due = this.#full || clock.monotonicMs() - startedMs >= LIMITS.transaction.gatherMs;
      if (!due && !idle()) {
        this.#cancel = clock.after(LIMITS.transaction.idleMs, look);
        return;
      }
      void this.#commit().then(() => {
        this.#cancel = null;
        if (this.#dirty.size > 0) this.#arm();
      });
    };
    this.#cancel = clock.after(LIMITS.transaction.idleMs, look);
  }

  /** After the transaction that is under way. Never rejects. */
  #commit(): Promise<void> {
    return (this.#running = this.#running.then(() => this.#commitNow()));
  }

  async #commitNow(): Promise<void> {
    const transactions = this.#options.transactions();
    const moved = this.#moved();
    if (transactions === null || this.#stop.signal.aborted || moved.length === 0) return;
    const covered = this.#takeCovered(moved);
    try {
      await transactions.commit(
        recordsOf(covered),
        moved.map(({ offset }) => offset),
      );
    } catch (error) {
      await this.#takenBack(error, covered, transactions);
      return;
    }
    this.#failures = 0;
    for (const { partition, progress } of moved) {
      partition.frontier.committed(progress);
      if (!partition.frontier.moved) this.#dirty.delete(partition);
    }
    for (const prepared of covered) prepared.committed();
  }

  #moved(): readonly Moved[] {
    const moved: Moved[] = [];
    for (const partition of this.#dirty) {
      const { progress } = partition.frontier;
      if (partition.interrupted || progress === null) this.#dirty.delete(partition);
      else {
        const { topic, partition: number, life } = partition;
        const { offset, above } = progress;
        const metadata = this.#plain || life === null ? "" : writeFinishedAbove({ offset, life, above });
        const at = { topic, partition: number, offset, ...(metadata !== "" && { metadata }) };
        moved.push({ partition, progress, offset: at });
      }
    }
    return moved;
  }

  /** What these offsets cover. What lies above them and found no room in the text beside them waits. */
  #takeCovered(moved: readonly Moved[]): readonly Prepared[] {
    const covers = new Map(moved.map((one) => [one.partition, coverOf(one)]));
    const covered: Prepared[] = [];
    const rest: Prepared[] = [];
    let last: OwnedPartition | undefined;
    let cover: ((at: number) => boolean) | undefined;
    for (const prepared of this.#prepared) {
      const { partition } = prepared;
      if (partition.interrupted) continue;
      if (partition !== last) cover = covers.get((last = partition));
      (cover?.(prepared.offset) === true ? covered : rest).push(prepared);
    }
    this.#keep(rest);
    return covered;
  }

  /** They go again with the next, in their places. */
  async #takenBack(error: unknown, covered: readonly Prepared[], transactions: Transactions): Promise<void> {
    const { clock, log } = this.#options;
    let again = covered;
    try {
      if (error instanceof CauceError && error.code === "record_too_large")
        again = await lessen(covered, error, transactions);
      else {
        if (this.#failures++ === 0)
          log.warn("a transaction was taken back; it is tried again", { error: messageOf(error) });
        if (error instanceof CauceError && error.code === "broker" && !error.retryable) this.#plain = true;
        const grownMs = LIMITS.commitAgainMs * 2 ** Math.min(this.#failures - 1, 10);
        await pause(clock, Math.min(grownMs, LIMITS.longestUnavailableMs), this.#stop.signal);
      }
    } catch (later) {
      log.warn("a transaction's outputs could not be looked at", { error: messageOf(later) });
    }
    this.#keep([...again, ...this.#prepared].filter(({ partition }) => !partition.interrupted));
  }

  #keep(prepared: Prepared[]): void {
    this.#prepared = prepared;
    this.#bytes = prepared.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#weigh();
  }

  #weigh(): void {
    const { messages, bytes } = LIMITS.transaction;
    const full = this.#prepared.length >= messages || this.#bytes >= bytes;
    if (full === this.#full) return;
    this.#full = full;
    this.#options.changed();
  }
}

/** Which offsets of a partition a commit says are finished. */
function coverOf({ partition: { life }, offset: { offset, metadata = "" } }: Moved): (at: number) => boolean {
  if (metadata === "" || life === null) return (at) => at < offset;
  const runs = readFinishedAbove(metadata, { offset, life });
  return (at) => at < offset || runs.some(({ from, to }) => from <= at && at < to);
}

/** Finds those with a record that is too large by halves, and makes less of each. */
async function lessen(
  some: readonly Prepared[],
  error: CauceError,
  transactions: Transactions,
): Promise<readonly Prepared[]> {
  const [first] = some;
  if (first === undefined) return [];
  if (some.length === 1) return [await first.lesser(error)];
  const middle = some.length >> 1;
  const lesser: Prepared[] = [];
  for (const half of [some.slice(0, middle), some.slice(middle)]) {
    try {
      await transactions.rehearse(recordsOf(half));
      lesser.push(...half);
    } catch (again) {
      if (!(again instanceof CauceError) || again.code !== "record_too_large") throw again;
      lesser.push(...(await lessen(half, again, transactions)));
    }
  }
  return lesser;
}

function recordsOf(some: readonly Prepared[]): OutgoingRecord[] {
  const records: OutgoingRecord[] = [];
  for (const { outputs } of some) for (const { record } of outputs) records.push(record);
  return records;
}
