/**
 * The way of one question, in words.
 *
 * In: its steps as they are seen. Out: "queued → generating → 429, waits 2.1 s → …". Pure.
 * Never here: steps that say nothing to a newcomer.
 */
import type { QuestionStep } from "../storage/steps.ts";

export const ARROW = " → ";

/** The words for a step; null for one that the next step says better. */
export function wordsOf({ step, detail }: Pick<QuestionStep, "step" | "detail">): string | null {
  switch (step) {
    case "waiting":
      return `${REASONS[String(detail["reason"])] ?? String(detail["reason"])}, waits ${seconds(detail["delay_ms"])}`;
    case "retrying":
      return `${String(detail["reason"])}, tried again in ${seconds(detail["delay_ms"])}`;
    case "scored": {
      const mark =
        detail["again"] === true ? ", again" : detail["below_threshold"] === true ? ", the best" : "";
      return `scored ${Number(detail["score"]).toFixed(1)}${mark}`;
    }
    case "failed":
      return `failed: ${String(detail["reason"])}`;
    case "dead":
      return `dead letter: ${String(detail["error"])}`;
    case "answered":
    case "error":
    case "scoring":
      return null;
    case "queued":
    case "generating":
    case "stored":
    case "hit":
      return step;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  rate_limit: "429",
  timeout: "timeout",
  bad_output: "bad answer",
  overloaded: "503",
  unavailable: "500",
};

function seconds(ms: unknown): string {
  return `${(Number(ms) / 1_000).toFixed(1)} s`;
}
