/**
 * What became of every ask: the books that must balance at the end.
 *
 * In: what the door said about asks and ids. Out: counts, latencies, and the questions that nobody can account for.
 * Never here: the network, waiting.
 */

export type EndState = "done" | "failed" | "cancelled";

export interface LoadReport {
  /** Asks that were due to be sent, and different questions among them. */
  readonly asked: number;
  readonly distinct: number;
  /** Asks by their acknowledgement. */
  readonly queued: number;
  readonly hits: number;
  readonly refused: number;
  /** Sends that were repeated because the door said "later" or could not be reached. */
  readonly resent: number;
  /** Different questions by how they ended; hits count as answered. */
  readonly answered: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Asks never acknowledged and acknowledged questions that have not ended. Must be empty. */
  readonly unaccounted: readonly string[];
  /** Why asks were refused or questions failed, with how often; at most 20 different reasons. */
  readonly reasons: Readonly<Record<string, number>>;
  /** From intended send time to stored answer, in ms, over all answered asks; undefined when there is none. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number } | undefined;
  readonly tookMs: number;
}

export interface End {
  readonly state: EndState;
  /** When we looked, by our wall clock. */
  readonly seenMs: number;
  /** When the door says that the answer was stored, by its clock. */
  readonly storedMs?: number;
  readonly reason?: string;
}

export class Ledger {
  queued = 0;
  hits = 0;
  refused = 0;
  resent = 0;
  asked = 0;
  readonly #latencies: number[] = [];
  readonly #lost: string[] = [];
  readonly #ended = new Map<string, EndState>();
  /** Ids that are followed → the intended send times (wall clock, ms) of the asks that wait for them. */
  readonly #open = new Map<string, number[]>();
  readonly #reasons = new Map<string, number>();

  noteQueued(id: string, intendedMs: number): void {
    this.queued++;
    const waiting = this.#open.get(id);
    if (waiting) waiting.push(intendedMs);
    // Also when it ended before: a failed question that is asked again starts a new round.
    else this.#open.set(id, [intendedMs]);
  }

  noteHit(id: string, intendedMs: number, nowMs: number): void {
    this.hits++;
    if (!this.#open.has(id)) this.#ended.set(id, "done");
    this.#latencies.push(Math.max(0, nowMs - intendedMs));
  }

  noteRefused(why: string): void {
    this.refused++;
    this.#note(`refused, ${why}`);
  }

  noteLost(title: string, why: string): void {
    this.#lost.push(`never acknowledged (${why}): ${title.slice(0, 80)}`);
  }

  noteEnded(id: string, end: End): void {
    const waiting = this.#open.get(id);
    if (waiting === undefined) return;
    this.#open.delete(id);
    this.#ended.set(id, end.state);
    if (end.state === "done") {
      for (const intendedMs of waiting) this.#latencies.push(latencyOf(intendedMs, end));
    } else this.#note(`${end.state}${end.reason === undefined ? "" : `, ${end.reason.slice(0, 80)}`}`);
  }

  get open(): number {
    return this.#open.size;
  }

  get openIds(): Iterable<string> {
    return this.#open.keys();
  }

  count(state: EndState): number {
    let total = 0;
    for (const ended of this.#ended.values()) if (ended === state) total++;
    return total;
  }

  report(distinct: number, tookMs: number): LoadReport {
    const waiting = [...this.#open.keys()].map((id) => `not ended: ${id}`);
    return {
      asked: this.asked,
      distinct,
      queued: this.queued,
      hits: this.hits,
      refused: this.refused,
      resent: this.resent,
      answered: this.count("done"),
      failed: this.count("failed"),
      cancelled: this.count("cancelled"),
      unaccounted: [...this.#lost, ...waiting],
      reasons: Object.fromEntries([...this.#reasons].toSorted((left, right) => right[1] - left[1])),
      latencyMs: percentiles(this.#latencies),
      tookMs,
    };
  }

  #note(reason: string): void {
    const known = this.#reasons.has(reason) || this.#reasons.size < MOST_REASONS;
    const name = known ? reason : "other reasons";
    this.#reasons.set(name, (this.#reasons.get(name) ?? 0) + 1);
  }
}

const MOST_REASONS = 19;

/** The stored time is nearer than the moment we looked; not believed where it lies before the question or after the look. */
function latencyOf(intendedMs: number, { seenMs, storedMs = seenMs }: End): number {
  const believed = storedMs >= intendedMs && storedMs <= seenMs ? storedMs : seenMs;
  return Math.max(0, believed - intendedMs);
}

function percentiles(values: readonly number[]): LoadReport["latencyMs"] {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((left, right) => left - right);
  const at = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
