/**
 * A judge's reply, read strictly, and the middle one of several.
 *
 * In: text that a model wrote. Out: exactly the fields of rubric.json's schema, or what is wrong with it in words.
 * Never here: totals that the model gives; a field that was not asked for is a reply that does not fit.
 */
import { CRITERIA, RUBRIC_DATA, totalOf, type Criterion, type Rubric } from "./rubric.ts";

export interface Verdict {
  readonly rubric: Rubric;
  /** What to mend, at most `longest_feedback` characters of rubric.json. */
  readonly feedback: string;
}

/** Exactly the fields that were asked for, numbers within 0 to 10; anything else is a problem in words. */
export function readVerdict(text: string): { readonly verdict: Verdict } | { readonly problem: string } {
  let value: unknown;
  try {
    // Some models wrap JSON in a code block although they are told not to.
    value = JSON.parse(text.replace(/^\s*```(?:json)?\s*|\s*```\s*$/g, ""));
  } catch {
    return { problem: "it is no JSON" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { problem: "it is no JSON object" };
  const fields = new Map<string, unknown>(Object.entries(value));
  const unknown = [...fields.keys()].filter((key) => !RUBRIC_DATA.schema.required.includes(key));
  if (unknown.length > 0) return { problem: "it has fields that were not asked for" };
  const scores = CRITERIA.map((name) => fields.get(name));
  if (!scores.every((score) => typeof score === "number" && score >= 0 && score <= 10)) {
    return { problem: `each of ${CRITERIA.join(", ")} should be a number from 0 to 10` };
  }
  const feedback = fields.get("feedback");
  if (typeof fields.get("rationale") !== "string" || typeof feedback !== "string") {
    return { problem: "rationale and feedback should be texts" };
  }
  return {
    verdict: {
      rubric: rubricOf((name) => Number(fields.get(name))),
      feedback: feedback.slice(0, RUBRIC_DATA.longest_feedback).toWellFormed(),
    },
  };
}

/**
 * The median of each criterion, so that one verdict that is far off moves none of them. Feedback is that of the verdict
 * whose total is in the middle. Of one verdict it is that verdict. @throws nothing; the list must not be empty.
 */
export function medianOf(verdicts: readonly [Verdict, ...Verdict[]]): Verdict {
  const [first] = verdicts;
  const byTotal = verdicts.toSorted((a, b) => totalOf(a.rubric) - totalOf(b.rubric));
  return {
    rubric: rubricOf((name) => middle(verdicts.map(({ rubric }) => rubric[name]))),
    feedback: (byTotal[Math.floor((byTotal.length - 1) / 2)] ?? first).feedback,
  };
}

function middle(points: readonly number[]): number {
  const sorted = points.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

function rubricOf(pointsOf: (name: Criterion) => number): Rubric {
  return {
    accuracy: pointsOf("accuracy"),
    completeness: pointsOf("completeness"),
    clarity: pointsOf("clarity"),
    conciseness: pointsOf("conciseness"),
    usefulness: pointsOf("usefulness"),
  };
}
