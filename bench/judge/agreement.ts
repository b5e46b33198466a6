/**
 * How well verdicts agree with labels: AUC, accuracy, Cohen's kappa, each with a bootstrap 95 % interval.
 *
 * In: verdicts. Out: numbers; the same for the same verdicts. Never here: judging, printing.
 */
import { randomFrom } from "../../handlers/shared/loadgen/plan.ts";

export interface Verdict {
  /** Verdicts on answers to one question are drawn together. */
  readonly question: string;
  readonly right: boolean;
  /** The judge's accuracy, 0 to 10. */
  readonly accuracy: number;
  /** Did the judge let it pass? */
  readonly passed: boolean;
}

/** The value and the ends of its 95 % interval. */
export type Interval = readonly [value: number, low: number, high: number];

export interface Agreement {
  readonly answers: number;
  /** Share of right ones, 0 to 1: kappa is low by nature where nearly all are right or wrong. */
  readonly right: number;
  readonly auc: Interval;
  readonly accuracy: Interval;
  readonly kappa: Interval;
}

/** `rounds` samples of questions, drawn with replacement. NaN where there is nothing to compare. */
export function agreementOf(verdicts: readonly Verdict[], rounds: number): Agreement {
  const samples = draw(verdicts, rounds);
  const interval = (measure: (verdicts: readonly Verdict[]) => number): Interval => {
    const drawn = samples.map(measure).toSorted((left, right) => left - right);
    const at = (share: number) => thousandths(drawn[Math.round(share * (drawn.length - 1))] ?? NaN);
    return [thousandths(measure(verdicts)), at(0.025), at(0.975)];
  };
  return {
    answers: verdicts.length,
    right: thousandths(shareOf(verdicts, ({ right }) => right)),
    auc: interval(auc),
    accuracy: interval(accuracy),
    kappa: interval(kappa),
  };
}

function draw(verdicts: readonly Verdict[], rounds: number): readonly (readonly Verdict[])[] {
  const groups = [...Map.groupBy(verdicts, ({ question }) => question).values()];
  const random = randomFrom(1);
  return Array.from({ length: rounds }, () =>
    groups.flatMap(() => groups[Math.floor(random() * groups.length)] ?? []),
  );
}

/** The chance that a right answer is rated above a wrong one; equal ratings count half. */
export function auc(verdicts: readonly Verdict[]): number {
  const counts = new Map<number, { right: number; wrong: number }>();
  for (const { accuracy: rated, right } of verdicts) {
    const count = counts.get(rated) ?? { right: 0, wrong: 0 };
    count[right ? "right" : "wrong"]++;
    counts.set(rated, count);
  }
  let [won, rights, wrongs] = [0, 0, 0];
  for (const [, { right, wrong }] of [...counts].toSorted(([left], [other]) => left - other)) {
    won += right * (wrongs + wrong / 2);
    rights += right;
    wrongs += wrong;
  }
  return won / (rights * wrongs);
}

export function accuracy(verdicts: readonly Verdict[]): number {
  return shareOf(verdicts, ({ right, passed }) => right === passed);
}

/** Agreement beyond what chance gives, at most 1. */
export function kappa(verdicts: readonly Verdict[]): number {
  const right = shareOf(verdicts, (verdict) => verdict.right);
  const passed = shareOf(verdicts, (verdict) => verdict.passed);
  const chance = right * passed + (1 - right) * (1 - passed);
  return (accuracy(verdicts) - chance) / (1 - chance);
}

export function shareOf(verdicts: readonly Verdict[], holds: (verdict: Verdict) => boolean): number {
  let count = 0;
  for (const verdict of verdicts) if (holds(verdict)) count++;
  return count / verdicts.length;
}

function thousandths(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
