/**
 * What became of every ask: the books that must balance at the end.
 *
 * In: what the door said about asks and ids. Out: counts, latencies, and the questions that nobody can account for.
 * Never here: the network, waiting.
 */

import type { RampStep } from "./arrivals.ts";
import type { PlannedAsk } from "./plan.ts";
import type { Sample } from "./sample.ts";
import {
  distributionOf,
  kneeOf,
  quantilesOf,
  stepsOf,
  stretchesOf,
  type AnsweredAsk,
  type Quantiles,
  type StepReport,
  type Stretch,
} from "./series.ts";

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
  /** Asks that joined a generation that was on its way already. */
  readonly joined: number;
  /** Share of asks, 0 to 1, that were hits or joined: no new generation for them. */
  readonly withoutGeneration: number;
  /** Waits for a retry, as they were seen; short ones may be missed. */
  readonly waits: number;
  /** From intended send time to stored answer, in ms, over all answered asks; undefined when there is none. */
  readonly latencyMs: Quantiles | undefined;
  /** The same by share of asks: of all, of hits, of those that waited for an answer. */
  readonly distribution: Readonly<Record<"all" | "hits" | "generated", ReturnType<typeof distributionOf>>>;
  readonly stretches: readonly Stretch[];
  /** Of a ramp; else empty, and there is no knee. */
  readonly steps: readonly StepReport[];
  /** Asks per second at the last step that kept up. */
  readonly kneePerSecond: number | undefined;
  readonly samples: readonly Sample[];
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
  joined = 0;
  waits = 0;
  readonly answeredAsks: AnsweredAsk[] = [];
  readonly #startMs: number;
  readonly #lost: string[] = [];
  readonly #ended = new Map<string, EndState>();
  /** Ids that are followed → the intended send times (wall clock, ms) of the asks that wait for them. */
  readonly #open = new Map<string, number[]>();
  readonly #waitingUntil = new Map<string, string>();
  readonly #reasons = new Map<string, number>();

  /** Start of the run by the wall clock, as all other times here. */
  constructor(startMs = 0) {
    this.#startMs = startMs;
  }

  noteQueued(id: string, intendedMs: number): void {
    this.queued++;
    const waiting = this.#open.get(id);
    if (waiting) {
      waiting.push(intendedMs);
      this.joined++;
    }
    // Also when it ended before: a failed question that is asked again starts a new round.
    else this.#open.set(id, [intendedMs]);
  }

  noteHit(id: string, intendedMs: number, nowMs: number): void {
    this.hits++;
    if (!this.#open.has(id)) this.#ended.set(id, "done");
    this.#noteAnswered(intendedMs, Math.max(0, nowMs - intendedMs), true);
  }

  noteRefused(why: string): void {
    this.refused++;
    this.#note(`refused, ${why}`);
  }

  noteLost(title: string, why: string): void {
    this.#lost.push(`never acknowledged (${why}): ${title.slice(0, 80)}`);
  }

  /** Seen waiting for a retry that is due then. */
  noteWaiting(id: string, until: string): void {
    if (this.#waitingUntil.get(id) === until) return;
    this.#waitingUntil.set(id, until);
    this.waits++;
  }

  noteEnded(id: string, end: End): void {
    const waiting = this.#open.get(id);
    if (waiting === undefined) return;
    this.#open.delete(id);
    this.#waitingUntil.delete(id);
    this.#ended.set(id, end.state);
    if (end.state === "done") {
      for (const intendedMs of waiting) this.#noteAnswered(intendedMs, latencyOf(intendedMs, end), false);
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

  report({ asks, steps = [], samples = [], tookMs }: Ran): LoadReport {
    const waiting = [...this.#open.keys()].map((id) => `not ended: ${id}`);
    const latencies = (wanted: readonly AnsweredAsk[]) => wanted.map(({ latencyMs }) => latencyMs);
    const [hits, generated] = [true, false].map((hit) =>
      this.answeredAsks.filter((ask) => ask.hit === hit),
    ) as [AnsweredAsk[], AnsweredAsk[]];
    const times = asks.map(({ intendedMs }) => intendedMs);
    const reports = stepsOf(steps, times, this.answeredAsks);
    return {
      asked: this.asked,
      distinct: new Set(asks.map(({ question }) => question)).size,
      queued: this.queued,
      hits: this.hits,
      refused: this.refused,
      resent: this.resent,
      answered: this.count("done"),
      failed: this.count("failed"),
      cancelled: this.count("cancelled"),
      unaccounted: [...this.#lost, ...waiting],
      reasons: Object.fromEntries([...this.#reasons].toSorted((left, right) => right[1] - left[1])),
      joined: this.joined,
      withoutGeneration: this.asked === 0 ? 0 : (this.hits + this.joined) / this.asked,
      waits: this.waits,
      latencyMs: quantilesOf(latencies(this.answeredAsks)),
      distribution: {
        all: distributionOf(latencies(this.answeredAsks)),
        hits: distributionOf(latencies(hits)),
        generated: distributionOf(latencies(generated)),
      },
      stretches: stretchesOf(this.answeredAsks),
      steps: reports,
      kneePerSecond: kneeOf(reports),
      samples,
      tookMs,
    };
  }

  #noteAnswered(intendedMs: number, latencyMs: number, hit: boolean): void {
    this.answeredAsks.push({ intendedMs: intendedMs - this.#startMs, latencyMs, hit });
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

/** What a run knows at its end, beside the books. */
export interface Ran {
  readonly asks: readonly PlannedAsk[];
  readonly steps?: readonly RampStep[];
  readonly samples?: readonly Sample[];
  readonly tookMs: number;
}
