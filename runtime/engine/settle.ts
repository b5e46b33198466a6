/**
 * Carries outcomes out, each always in this order: outputs acknowledged → rows committed. Then its offset may move.
 *
 * In: outcomes, one by one. Out: a call for each that is carried out (an output that is too large turns into a dead letter). What is
 * decided in one turn of the event loop goes out together: one publish, one insert. No timer waits for more of them.
 * A crash between any two steps repeats work under the same ids and never loses it. Never here: offsets, decisions.
 */
import { bodyBytesOf } from "../ground/body-bytes.ts";
import type { Bus } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import { failpoint } from "../ground/failpoint.ts";
import type { DeadLetter, ScheduledMessage, Store } from "../store/store.ts";
import { bury } from "./bury.ts";
import { LIMITS } from "./limits.ts";
import type { Output, Settled } from "./outcome.ts";
import { persist, type Patience } from "./persist.ts";

/** An outcome of a message of some partition. Those that are under way at the same time wait for no order among each other. */
export interface Unsettled {
  readonly outcome: Settled;
  /** Aborts when nothing of its partition may reach the broker any more. */
  readonly partition: { readonly signal: AbortSignal; readonly interrupted: boolean };
}

export interface SettlerOptions<Item extends Unsettled> {
  readonly bus: Pick<Bus, "publish">;
  readonly store: Pick<Store, "schedule" | "bury">;
  readonly deadLetterTopic: string;
  readonly handlerName: string;
  /**
   * True while publishing would block a cycle of topics (an embedded broker that is full): outputs then become rows that
   * are due at once.
   */
  readonly detour?: () => boolean;
  /** How long infrastructure that is away is waited for. */
  readonly patience: (signal: AbortSignal) => Patience;
  /** Makes the dead letter of a message whose output could not be published. */
  readonly letterFor: (item: Item, error: CauceError) => DeadLetter;
  /** Told once of each item that is carried out, and as what. */
  readonly settled: (item: Item, carriedOut: Settled) => void;
  /**
   * Told once of each that is not: CauceError `aborted` when its partition ended, else a defect. Nothing is lost; the message is
   * not finished.
   */
  readonly failed: (item: Item, error: unknown) => void;
}

export class Settler<Item extends Unsettled> {
  readonly #options: SettlerOptions<Item>;
  /** With outputs to publish now, and maybe rows after them. */
  #publishing: Item[] = [];
  #records = 0;
  #bytes = 0;
  /** With nothing but rows. */
  #writing: Item[] = [];
  #scheduled = false;

  constructor(options: SettlerOptions<Item>) {
    this.#options = options;
  }

  /** Takes an outcome on. One that asks for nothing is told of at once. */
  add(item: Item): void {
    const { outcome } = item;
    if (outcome.kind === "dead") void this.#bury(item, outcome.letter);
    else if (outcome.kind === "retry") this.#gatherRows(item);
    else if (outcome.publish.length > 0 && this.#options.detour?.() !== true)
      this.#gather(item, outcome.publish);
    else if (outcome.publish.length > 0 || outcome.schedule.length > 0) this.#gatherRows(item);
    else this.#options.settled(item, outcome);
  }

  #gather(item: Item, outputs: readonly Output[]): void {
    let bytes = 0;
    for (const { record } of outputs) bytes += bodyBytesOf(record);
    const { records: mostRecords, bytes: mostBytes } = LIMITS.settledTogether;
    if (this.#records + outputs.length > mostRecords || this.#bytes + bytes > mostBytes)
      this.#publishGathered();
    this.#publishing.push(item);
    this.#records += outputs.length;
    this.#bytes += bytes;
    this.#soon();
  }

  #gatherRows(item: Item): void {
    this.#writing.push(item);
    if (this.#writing.length >= LIMITS.settledTogether.records) this.#writeGathered();
    else this.#soon();
  }

  /** After everything that this turn of the event loop has ready: what has finished by then goes out together. */
  #soon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#publishGathered();
      this.#writeGathered();
    });
  }

  #publishGathered(): void {
    const items = this.#publishing;
    this.#publishing = [];
    this.#records = 0;
    this.#bytes = 0;
    if (items.length > 0) void this.#publish(items);
  }

  #writeGathered(): void {
    const items = this.#writing;
    this.#writing = [];
    if (items.length > 0) void this.#write(items);
  }

  /** One try for all. What fails goes on partition by partition, since each may wait and end by itself. */
  async #publish(items: readonly Item[]): Promise<void> {
    const mine = this.#withoutEnded(items);
    if (mine.length === 0) return;
    try {
      await this.#options.bus.publish(recordsOf(mine));
    } catch (error) {
      if (isTooLarge(error)) await this.#publishHalves(mine, error);
      else await Promise.all([...byPartition(mine)].map((some) => this.#publishPatiently(some)));
      return;
    }
    this.#published(mine);
  }

  async #publishPatiently(items: readonly Item[]): Promise<void> {
    try {
      await persist(() => this.#options.bus.publish(recordsOf(items)), this.#patienceOf(items));
    } catch (error) {
      if (isTooLarge(error)) await this.#publishHalves(items, error);
      else this.#failed(items, error);
      return;
    }
    this.#published(items);
  }

  /** One of them is to blame: found by halves, again under the same ids, and buried alone. */
  async #publishHalves(items: readonly Item[], error: CauceError): Promise<void> {
    const [first] = items;
    if (first === undefined) return;
    if (items.length === 1) {
      await this.#bury(first, this.#options.letterFor(first, error));
      return;
    }
    const middle = items.length >> 1;
    await Promise.all([this.#publish(items.slice(0, middle)), this.#publish(items.slice(middle))]);
  }

  #published(items: readonly Item[]): void {
    failpoint("settle.published");
    let withRows: Item[] | null = null;
    for (const item of items) {
      if (item.outcome.kind === "done" && item.outcome.schedule.length > 0) (withRows ??= []).push(item);
      else this.#options.settled(item, item.outcome);
    }
    if (withRows !== null) void this.#write(withRows, true);
  }

  async #write(items: readonly Item[], published = false): Promise<void> {
    const mine = this.#withoutEnded(items);
    if (mine.length === 0) return;
    const rows = (some: readonly Item[]) => some.flatMap((item) => this.#rowsOf(item, published));
    try {
      await this.#options.store.schedule(rows(mine));
    } catch {
      await Promise.all(
        [...byPartition(mine)].map(async (some) => {
          try {
            await persist(() => this.#options.store.schedule(rows(some)), this.#patienceOf(some));
          } catch (error) {
            this.#failed(some, error);
            return;
          }
          this.#written(some);
        }),
      );
      return;
    }
    this.#written(mine);
  }

  #written(items: readonly Item[]): void {
    failpoint("settle.rows_written");
    for (const item of items) this.#options.settled(item, item.outcome);
  }

  /** Outputs that were not published take their detour as rows. */
  #rowsOf({ outcome }: Item, published: boolean): readonly ScheduledMessage[] {
    if (outcome.kind === "retry") return [outcome.schedule];
    if (outcome.kind === "dead") return [];
    if (published || outcome.publish.length === 0) return outcome.schedule;
    const { handlerName } = this.#options;
    return [...outcome.publish.map((output) => rowDueNow(output, handlerName)), ...outcome.schedule];
  }

  async #bury(item: Item, letter: DeadLetter): Promise<void> {
    try {
      await bury(letter, this.#options, this.#options.patience(item.partition.signal));
    } catch (error) {
      this.#options.failed(item, error);
      return;
    }
    this.#options.settled(item, { kind: "dead", letter });
  }

  /** Nothing of a partition that ended is handed over. */
  #withoutEnded(items: readonly Item[]): readonly Item[] {
    if (!items.some(({ partition }) => partition.interrupted)) return items;
    this.#failed(
      items.filter(({ partition }) => partition.interrupted),
      new CauceError("aborted", "its partition ended before it was settled"),
    );
    return items.filter(({ partition }) => !partition.interrupted);
  }

  #failed(items: readonly Item[], error: unknown): void {
    for (const item of items) this.#options.failed(item, error);
  }

  /** Of items of one partition. */
  #patienceOf([first]: readonly Item[]): Patience {
    return this.#options.patience(first?.partition.signal ?? AbortSignal.abort());
  }
}

function recordsOf(items: readonly Unsettled[]) {
  const records = [];
  for (const { outcome } of items)
    if (outcome.kind === "done") for (const { record } of outcome.publish) records.push(record);
  return records;
}

function byPartition<Item extends Unsettled>(items: readonly Item[]): Iterable<readonly Item[]> {
  return Map.groupBy(items, ({ partition }) => partition).values();
}

function isTooLarge(error: unknown): error is CauceError {
  return error instanceof CauceError && error.code === "record_too_large";
}

function rowDueNow({ messageId, record, bornAtMs }: Output, handler: string): ScheduledMessage {
  return {
    handler,
    messageId,
    delivery: 0,
    record,
    kind: "output",
    reason: "the embedded broker is full",
    error: "",
    attempts: 0,
    deferrals: 0,
    delayMs: 0,
    bornAtMs,
  };
}
