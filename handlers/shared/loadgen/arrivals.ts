/**
 * When questions are asked: intended times, decided before the first one is sent.
 *
 * In: a kind of arrivals, how many, a source of chance. Out: times in ms from the start, in order. Never here: clocks; who
 * is asked (popularity.ts).
 */

/** Ramp: this rate for that long, one step after the other. */
export interface RampStep {
  readonly ratePerSecond: number;
  readonly forMs: number;
}

export type Arrivals =
  | { readonly kind: "even" | "poisson"; readonly ratePerSecond: number }
  | { readonly kind: "ramp"; readonly spacing: "even" | "poisson"; readonly steps: readonly RampStep[] }
  /** As recorded; `timesMs` rise from 0. When they run out they start again after the last. */
  | { readonly kind: "recorded"; readonly timesMs: readonly number[] };

/** Times in ms from the start. Of a ramp as many as fit into its steps, at most `count`. */
export function arrivalsOf(arrivals: Arrivals, count: number, random: () => number): readonly number[] {
  if (arrivals.kind === "recorded") return recorded(arrivals.timesMs, count);
  if (arrivals.kind !== "ramp") return spaced(arrivals.kind, arrivals.ratePerSecond, random, Infinity, count);
  let startMs = 0;
  const all = arrivals.steps.flatMap(({ ratePerSecond, forMs }) => {
    const fromMs = startMs;
    startMs += forMs;
    return spaced(arrivals.spacing, ratePerSecond, random, forMs, count).map((atMs) => fromMs + atMs);
  });
  return all.slice(0, count);
}

/** "even": the same gap each time. "poisson": gaps by chance, exponentially distributed, as of askers unaware of each other. */
function spaced(
  spacing: "even" | "poisson",
  ratePerSecond: number,
  random: () => number,
  untilMs: number,
  count: number,
): readonly number[] {
  const meanMs = 1_000 / ratePerSecond;
  const times: number[] = [];
  let atMs = spacing === "even" ? 0 : -Math.log(1 - random()) * meanMs;
  for (let index = 1; atMs < untilMs && times.length < count; index++) {
    times.push(atMs);
    atMs = spacing === "even" ? index * meanMs : atMs - Math.log(1 - random()) * meanMs;
  }
  return times;
}

function recorded(timesMs: readonly number[], count: number): readonly number[] {
  const lengthMs = (timesMs.at(-1) ?? 0) + 1;
  return Array.from(
    { length: timesMs.length === 0 ? 0 : count },
    (_, index) => Math.floor(index / timesMs.length) * lengthMs + (timesMs[index % timesMs.length] ?? 0),
  );
}
