/**
 * The rubric: what a good answer is and how much each part of it counts, read from rubric.json.
 *
 * In: five criteria, each 0 to 10. Out: the total, and whether the answer passes. Never here: how a criterion is judged.
 * The numbers and the judge's words are data, so that whoever else judges (a job in another language) reads the same file.
 */
import data from "./rubric.json" with { type: "json" };

export const CRITERIA = ["accuracy", "completeness", "clarity", "conciseness", "usefulness"] as const;
export type Criterion = (typeof CRITERIA)[number];

/** Each criterion from 0 to 10. */
export type Rubric = Readonly<Record<Criterion, number>>;

/** The file as it is: weights, gate, threshold, prompt, JSON schema. */
export const RUBRIC_DATA = data;

/** Changes with every word and number of rubric.json. */
export const RUBRIC_VERSION = data.version;

export const RUBRIC: Readonly<Record<Criterion, { readonly weight: number }>> = data.criteria;

/**
 * The least accuracy that passes. It is needed beside the threshold: with these weights a wrong answer that is perfect
 * in all else has 6.0.
 */
export const ACCURACY_GATE = data.accuracy_gate;

/** The total that passes when nothing else is set. */
export const DEFAULT_THRESHOLD = data.threshold;

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

/**
 * First 12 hex digits of the SHA-256 of rubric.json as compact JSON in UTF-8 (`JSON.stringify`, or Python's
 * `json.dumps(…, separators=(",", ":"), ensure_ascii=False)`): two scores are comparable when theirs are equal.
 */
export async function rubricHash(): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(data)));
  return new Uint8Array(digest).toHex().slice(0, 12);
}

function clamp(value: number): number {
  return value >= 0 ? Math.min(10, value) : 0;
}
