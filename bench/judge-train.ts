/**
 * Finds the weights of the offline judge: logistic regression with a small ridge, from one half of the questions only.
 *
 * In: `bun bench/judge-train.ts FILE` with an EVOUNA file (rows with human labels). Out: the weights for
 * `handlers/shared/judge/weights.ts`, on standard output. Never here: the other half (see judge-agreement.ts).
 */
import { FEATURES, featuresOf, type Features } from "../handlers/shared/judge/likeness.ts";
import { labelledAnswers } from "./judge-data.ts";

const path = process.argv[2];
if (path === undefined) throw new Error("usage: bun bench/judge-train.ts FILE");
const rows = (await labelledAnswers(path))
  .filter(({ half }) => half === "tuning")
  .map(({ title, reference, answer, right }) => ({ options: featuresOf(title, reference, answer), right }));

process.stdout.write(`${JSON.stringify(train(rows), undefined, 1)}\n`);

/** Full-batch gradient descent; among the aliases of a reference the one that fits best now is the one that learns. */
function train(
  samples: readonly { readonly options: readonly Features[]; readonly right: boolean }[],
): unknown {
  const rounds = 3_000;
  const ridge = 0.0005;
  const weights = FEATURES.map(() => 0);
  const momentum = FEATURES.map(() => 0);
  for (let round = 0; round < rounds; round++) {
    const gradient = FEATURES.map((_, index) => ridge * (index === 0 ? 0 : (weights[index] ?? 0)));
    for (const { options, right } of samples) {
      let best: Features = options[0] ?? [];
      let score = -Infinity;
      for (const option of options) {
        const value = option.reduce((sum, feature, index) => sum + feature * (weights[index] ?? 0), 0);
        if (value > score) [best, score] = [option, value];
      }
      const miss = (1 / (1 + Math.exp(-score)) - (right ? 1 : 0)) / samples.length;
      for (const [index, feature] of best.entries())
        gradient[index] = (gradient[index] ?? 0) + miss * feature;
    }
    for (const [index, slope] of gradient.entries()) {
      momentum[index] = 0.9 * (momentum[index] ?? 0) + slope;
      weights[index] = (weights[index] ?? 0) - 0.5 * (momentum[index] ?? 0);
    }
  }
  return Object.fromEntries(
    FEATURES.map((name, index) => [name, Math.round((weights[index] ?? 0) * 100) / 100]),
  );
}
