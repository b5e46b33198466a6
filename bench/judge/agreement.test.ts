import { describe, expect, test } from "bun:test";
import { offlineJudge } from "../../handlers/shared/judge/offline.ts";
import { WEIGHTS, type Weights } from "../../handlers/shared/judge/weights.ts";
import { accuracy, agreementOf, auc, kappa, type Verdict } from "./agreement.ts";
import { INVENTED_ROWS } from "./invented.ts";
import { judgeAll } from "./judging.ts";
import { labelledAnswers } from "./labelled.ts";

const verdict = (question: string, right: boolean, rated: number): Verdict => ({
  question,
  right,
  accuracy: rated,
  passed: rated >= 5,
});

describe("the measures", () => {
  const verdicts = [
    verdict("a", true, 9),
    verdict("b", true, 4),
    verdict("c", false, 4),
    verdict("d", false, 1),
  ];

  test("AUC is the chance that a right answer is rated above a wrong one, ties half", () => {
    expect(auc(verdicts)).toBe(3.5 / 4);
    expect(auc(verdicts.map((one) => ({ ...one, accuracy: 5 })))).toBe(0.5);
    expect(auc(verdicts.map((one) => ({ ...one, right: !one.right })))).toBe(0.5 / 4);
  });

  test("kappa is agreement beyond chance: 1 for all, 0 for one who lets everything pass", () => {
    expect(accuracy(verdicts)).toBe(0.75);
    expect(kappa(verdicts)).toBe(0.5);
    expect(kappa(verdicts.map((one) => ({ ...one, passed: one.right })))).toBe(1);
    expect(kappa(verdicts.map((one) => ({ ...one, passed: true })))).toBe(0);
  });

  test("the interval holds the value, narrows with more questions, and is the same each time", () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => verdict(`${index}`, index % 2 === 0, (index * 7) % 10));
    const [few, more] = [agreementOf(many(40), 200), agreementOf(many(400), 200)];
    expect(few.auc[1]).toBeLessThanOrEqual(few.auc[0]);
    expect(few.auc[2]).toBeGreaterThanOrEqual(few.auc[0]);
    expect(more.auc[2] - more.auc[1]).toBeLessThan(few.auc[2] - few.auc[1]);
    expect(agreementOf(many(40), 200)).toEqual(few);
  });
});

describe("the offline judge on invented answers that anybody can label", () => {
  const agreement = async (weights: Weights) => {
    const { verdicts, failed } = await judgeAll(offlineJudge(weights), labelledAnswers(INVENTED_ROWS));
    expect(failed).toBe(0);
    return agreementOf(verdicts, 20);
  };

  test("agrees with nearly all of them", async () => {
    const { answers, auc: area, kappa: beyondChance } = await agreement(WEIGHTS);
    expect(answers).toBe(INVENTED_ROWS.length * 2);
    expect(area[0]).toBeGreaterThanOrEqual(0.98);
    expect(beyondChance[0]).toBeGreaterThanOrEqual(0.9);
  });

  test("and would not, had it other weights: the set tells a broken judge from a sound one", async () => {
    const turned = Object.fromEntries(Object.entries(WEIGHTS).map(([name, weight]) => [name, -weight]));
    const blind = Object.fromEntries(Object.keys(WEIGHTS).map((name) => [name, 0]));
    expect((await agreement(turned as Weights)).kappa[0]).toBeLessThan(0.5);
    expect((await agreement(blind as Weights)).kappa[0]).toBeLessThan(0.5);
  });
});
