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

/**
 * Steps in the order of the way. A step is seen when its message is settled, and the next handler is sometimes quicker
 * than that: what follows an attempt is held until the attempt's own end was seen. Repeats of a message are left out.
 */
export function inOrder(tell: (step: QuestionStep) => void): (step: QuestionStep) => void {
  const begun = new Set<string>();
  let attemptIsOpen = false;
  let held: QuestionStep[] = [];
  const see = (step: QuestionStep) => {
    const follows = step.step === "generating" || step.step === "stored" || step.step === "failed";
    if (follows && attemptIsOpen) {
      held.push(step);
      return;
    }
    if (follows) attemptIsOpen = step.step === "generating";
    tell(step);
    if (step.step !== "scored" && step.step !== "waiting") return;
    attemptIsOpen = false;
    const waiting = held;
    held = [];
    for (const next of waiting) see(next);
  };
  return (step) => {
    if (step.step === "generating") {
      const message = step.messageId ?? "";
      if (begun.has(message)) return;
      begun.add(message);
    }
    see(step);
  };
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
