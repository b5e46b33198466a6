/**
 * The series of one metric: one state per combination of label values, bounded.
 *
 * In: label values. Out: the state that belongs to them. Never here: what a state is.
 */
import type { Labels, Sample } from "./exposition.ts";

/** Everything beyond the bound is counted under this value. */
export const OTHER = "other";
/** Longer label values are cut. */
const LONGEST_LABEL = 200;

/** Series of one metric by their label values, at most `most` of them and one for all others. */
export class SeriesMap<T> {
  readonly #series = new Map<string, { readonly labels: Labels; readonly state: T }>();
  readonly #names: readonly string[];
  readonly #most: number;
  readonly #create: () => T;

  constructor(names: readonly string[], most: number, create: () => T) {
    this.#names = names;
    this.#most = most;
    this.#create = create;
  }

  at(of: Labels): T {
    let labels = pick(this.#names, of);
    let key = JSON.stringify(Object.values(labels));
    const known = this.#series.get(key);
    if (known) return known.state;
    if (this.#series.size >= this.#most) {
      labels = Object.fromEntries(this.#names.map((name) => [name, OTHER]));
      key = OTHER;
      const rest = this.#series.get(key);
      if (rest) return rest.state;
    }
    const state = this.#create();
    this.#series.set(key, { labels, state });
    return state;
  }

  *entries(): Iterable<{ readonly labels: Labels; readonly state: T }> {
    yield* this.#series.values();
  }

  samples(value: (state: T) => number): Sample[] {
    return [...this.#series.values()].map(({ labels, state }) => ({ labels, value: value(state) }));
  }
}

/** Just the declared labels, in their order; a missing one is empty. */
export function pick(names: readonly string[], of: Labels): Labels {
  return Object.fromEntries(names.map((name) => [name, (of[name] ?? "").slice(0, LONGEST_LABEL)]));
}
