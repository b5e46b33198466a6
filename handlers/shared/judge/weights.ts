/**
 * The weights of the offline judge, one for each feature.
 *
 * Found by bench/judge-train.ts on one half of EVOUNA-NQ's human labels; bench/judge-agreement.ts reports the other half.
 */
import type { FEATURES } from "./likeness.ts";

export const WEIGHTS: Readonly<Record<(typeof FEATURES)[number], number>> = {
  bias: -2.33,
  contained: 0.78,
  recall: 0.98,
  new_recall: 0.91,
  last_word: 0.14,
  number_missed: -0.7,
  numbers_met: 0.24,
  unknown: -0.77,
  denied: 0.01,
  precision: 1.98,
  late: -0.1,
  long_answer: 0.49,
  weak_match: 0.33,
  other_number: 0.01,
  long_reference: -0.09,
  trigrams: 2.74,
};
