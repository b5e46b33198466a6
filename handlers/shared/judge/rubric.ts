/**
 * The rubric: the one place that says what a good answer is and how much each part of it counts.
 *
 * In: five criteria, each 0 to 10. Out: the total, and whether the answer passes. Never here: how a criterion is judged.
 */

export const CRITERIA = ["accuracy", "completeness", "clarity", "conciseness", "usefulness"] as const;
export type Criterion = (typeof CRITERIA)[number];

/** Each criterion from 0 to 10. */
export type Rubric = Readonly<Record<Criterion, number>>;

/** Changes with every word and number of RUBRIC. */
export const RUBRIC_VERSION = "1";

export const RUBRIC: Readonly<Record<Criterion, { readonly weight: number; readonly about: string }>> = {
  accuracy: {
    weight: 0.4,
    about:
      "Is it right? 10: agrees with the reference in all that matters. 5: partly right, nothing decisive wrong. 0: wrong, or no answer.",
  },
  completeness: {
    weight: 0.25,
    about: "Is all of the question answered? 10: every part. 5: half of it. 0: none of it.",
  },
  clarity: {
    weight: 0.2,
    about: "Is it understood at first reading? 10: at once. 5: with effort. 0: not at all.",
  },
  conciseness: {
    weight: 0.1,
    about:
      "Is there nothing that could be left out? 10: not a word. 5: half is padding. 0: the answer drowns.",
  },
  usefulness: {
    weight: 0.05,
    about: "Does it help the one who asked? 10: can be used as it is. 5: needs more looking up. 0: no help.",
  },
};

/**
 * The least accuracy that passes. It is needed beside the threshold: with these weights a wrong answer that is perfect
 * in all else has 6.0.
 */
export const ACCURACY_GATE = 5;

/** The total that passes when nothing else is set. */
export const DEFAULT_THRESHOLD = 6;

/** The weighted total, 0 to 10, with two decimals. Criteria outside 0 to 10 are clamped; NaN counts as 0. */
export function totalOf(rubric: Rubric): number {
  const total = CRITERIA.reduce((sum, name) => sum + RUBRIC[name].weight * clamp(rubric[name]), 0);
  return Math.round(total * 100) / 100;
}

export function gatePassed(rubric: Rubric): boolean {
  return clamp(rubric.accuracy) >= ACCURACY_GATE;
}

/** Is the answer good enough to be delivered: score at or above `threshold`, and accuracy through its gate. */
export function passes(
  judged: { readonly score: number; readonly gate_passed: boolean },
  threshold: number = DEFAULT_THRESHOLD,
): boolean {
  return judged.gate_passed && judged.score >= threshold;
}

/** First 12 hex digits of the SHA-256 of everything above: two scores are comparable when theirs are equal. */
export async function rubricHash(): Promise<string> {
  const text = JSON.stringify([RUBRIC_VERSION, RUBRIC, ACCURACY_GATE]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex().slice(0, 12);
}

function clamp(value: number): number {
  return value >= 0 ? Math.min(10, value) : 0;
}
