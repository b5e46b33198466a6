/**
 * Who is asked what and when: decided before the first question is sent.
 *
 * In: how many questions there are, how many asks, rate, share of repeats, seed. Out: asks in order of time, the same for
 * the same input. Never here: sending, clocks.
 */

export interface PlanOptions {
  /** How many different questions there are to ask. At least 1. */
  readonly questions: number;
  readonly count: number;
  readonly ratePerSecond: number;
  /** Share of asks, 0 to 1, that repeat a question asked before. When the questions run out, all asks do. */
  readonly repeatShare: number;
  readonly seed: number;
}

export interface PlannedAsk {
  /** Index of the question. */
  readonly question: number;
  /** When it should be sent, in milliseconds from the start. The rate is even: no burst, no wait for answers. */
  readonly intendedMs: number;
}

export function planAsks({
  questions,
  count,
  ratePerSecond,
  repeatShare,
  seed,
}: PlanOptions): readonly PlannedAsk[] {
  const random = randomFrom(seed);
  let fresh = 0;
  return Array.from({ length: count }, (_, index) => {
    const repeat = fresh > 0 && (fresh >= questions || random() < repeatShare);
    const question = repeat ? Math.floor(random() * fresh) : fresh++;
    return { question, intendedMs: (index * 1_000) / ratePerSecond };
  });
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
