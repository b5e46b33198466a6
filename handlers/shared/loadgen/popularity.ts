/**
 * Which question is asked: some are asked again and again.
 *
 * In: how many questions there are, a kind of popularity, a source of chance. Out: indices of questions, one an ask; and what
 * share of asks no cache could do better than. Never here: times, sending.
 */

export type Popularity =
  /** This share of asks, 0 to 1, repeats a question asked before. When the questions run out, all asks do. */
  | { readonly kind: "repeats"; readonly share: number }
  /** The r-th question is asked in proportion to 1 / r^exponent. 0: all alike. */
  | { readonly kind: "zipf"; readonly exponent: number };

export function askedQuestions(
  popularity: Popularity,
  of: { readonly questions: number; readonly count: number; readonly random: () => number },
): readonly number[] {
  const { questions, count, random } = of;
  if (popularity.kind === "zipf") {
    const bounds = zipfBounds(questions, popularity.exponent);
    return Array.from({ length: count }, () => firstAbove(bounds, random()));
  }
  let fresh = 0;
  return Array.from({ length: count }, () => {
    const repeat = fresh > 0 && (fresh >= questions || random() < popularity.share);
    return repeat ? Math.floor(random() * fresh) : fresh++;
  });
}

/**
 * The share of asks, 0 to 1, that can be answered without a new generation when each different question is generated
 * exactly once: the expectation over all draws.
 */
export function idealHitShare(of: {
  readonly questions: number;
  readonly count: number;
  readonly exponent: number;
}): number {
  const { questions, count, exponent } = of;
  const bounds = zipfBounds(questions, exponent);
  const distinct = bounds.reduce((sum, bound, index) => {
    const chance = bound - (bounds[index - 1] ?? 0);
    return sum + 1 - (1 - chance) ** count;
  }, 0);
  return 1 - distinct / count;
}

/** Upper ends, up to 1, of the part of chance that belongs to each question. */
function zipfBounds(questions: number, exponent: number): readonly number[] {
  let sum = 0;
  const sums = Array.from({ length: questions }, (_, index) => (sum += (index + 1) ** -exponent));
  return sums.map((part) => part / sum);
}

function firstAbove(bounds: readonly number[], drawn: number): number {
  let [low, high] = [0, bounds.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bounds[middle] ?? 1) > drawn) high = middle;
    else low = middle + 1;
  }
  return low;
}
