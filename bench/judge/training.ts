/**
 * Finds weights for the offline judge: logistic regression with a small ridge.
 *
 * In: labelled answers. Out: a weight for each feature, with two decimals; the same for the same answers.
 * Never here: which answers (train.ts takes one half of the questions), files.
 */
import { FEATURES, featuresOf, type Features } from "../../handlers/shared/judge/likeness.ts";
import type { Weights } from "../../handlers/shared/judge/weights.ts";
import type { LabelledAnswer } from "./labelled.ts";

const ROUNDS = 3_000;
const RIDGE = 0.0005;
const STEP = 0.5;
const MOMENTUM = 0.9;

export interface Sample {
  /** One row of features for each reading of the reference. */
  readonly options: readonly Features[];
  readonly right: boolean;
}

export function sampleOf({ title, reference, answer, right }: LabelledAnswer): Sample {
  return { options: featuresOf(title, reference, answer), right };
}

/** Full-batch gradient descent; among the readings of a reference the one that fits best now is the one that learns. */
export function weightsFrom(samples: readonly Sample[]): Weights {
  const weights = FEATURES.map(() => 0);
  const momentum = FEATURES.map(() => 0);
  for (let round = 0; round < ROUNDS; round++) {
    const gradient = FEATURES.map((_, index) => RIDGE * (index === 0 ? 0 : (weights[index] ?? 0)));
    for (const { options, right } of samples) {
      let best: Features = options[0] ?? [];
      let score = -Infinity;
      for (const option of options) {
        let value = 0;
        for (let index = 0; index < option.length; index++)
          value += (option[index] ?? 0) * (weights[index] ?? 0);
        if (value > score) [best, score] = [option, value];
      }
      const miss = (1 / (1 + Math.exp(-score)) - (right ? 1 : 0)) / samples.length;
      for (let index = 0; index < best.length; index++)
        gradient[index] = (gradient[index] ?? 0) + miss * (best[index] ?? 0);
    }
    for (const [index, slope] of gradient.entries()) {
      momentum[index] = MOMENTUM * (momentum[index] ?? 0) + slope;
      weights[index] = (weights[index] ?? 0) - STEP * (momentum[index] ?? 0);
    }
  }
  return Object.fromEntries(
    FEATURES.map((name, index) => [name, Math.round((weights[index] ?? 0) * 100) / 100]),
  ) as Weights;
}
