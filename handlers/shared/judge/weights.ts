/**
 * The weights of the offline judge, one for each feature.
 *
 * Found by bench/judge/train.ts on one half of EVOUNA-NQ's human labels; `bun run judge:agreement` reports the other half.
 */
import type { FEATURES } from "./likeness.ts";

export type Weights = Readonly<Record<(typeof FEATURES)[number], number>>;

export const WEIGHTS: Weights = {
  bias: -2.22,
  contained: 0.63,
  recall: 0.91,
  new_recall: 1.07,
  last_word: 0.15,
  number_missed: -0.49,
  numbers_met: 0.27,
  unknown: -0.78,
  denied: 0.01,
  precision: 1.89,
  late: -0.11,
  long_answer: 0.39,
  weak_match: 0.38,
  other_number: -0.18,
  long_reference: -0.44,
  trigrams: 2.86,
  number_replaced: -1.52,
};
