/**
 * Who is asked what and when: decided before the first question is sent.
 *
 * In: how many questions there are, how many asks, arrivals, popularity, seed. Out: asks in order of time, the same for
 * the same input. Never here: sending, clocks.
 */
import { arrivalsOf, type Arrivals } from "./arrivals.ts";
import { askedQuestions, type Popularity } from "./popularity.ts";

export interface PlanOptions {
  /** How many different questions there are to ask. At least 1. */
  readonly questions: number;
  readonly count: number;
  readonly arrivals: Arrivals;
  readonly popularity: Popularity;
  readonly seed: number;
}

export interface PlannedAsk {
  /** Index of the question. */
  readonly question: number;
  /** When it should be sent, in ms from the start, whatever answers do. */
  readonly intendedMs: number;
}

export function planAsks({
  questions,
  count,
  arrivals,
  popularity,
  seed,
}: PlanOptions): readonly PlannedAsk[] {
  // Chance of their own: the same questions are asked however they arrive.
  const times = arrivalsOf(arrivals, count, randomFrom(seed ^ 0x5bd1e995));
  const asked = askedQuestions(popularity, { questions, count: times.length, random: randomFrom(seed) });
  return times.map((intendedMs, index) => ({ intendedMs, question: asked[index] ?? 0 }));
}

/** Mulberry32: small, even enough for choosing, the same on every host. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
