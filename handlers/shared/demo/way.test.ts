import { describe, expect, test } from "bun:test";
import type { QuestionStep } from "../storage/steps.ts";
import { inOrder, wordsOf } from "./way.ts";

let messages = 0;
const step = (name: QuestionStep["step"], detail: QuestionStep["detail"] = {}): QuestionStep => ({
  id: "0".repeat(32),
  round: 1,
  step: name,
  atMs: 0,
  messageId: `message ${++messages}`,
  detail,
});

/** What is told when the steps are seen in this order. */
function told(...steps: readonly QuestionStep[]): string[] {
  const words: string[] = [];
  const see = inOrder((seen) => words.push(wordsOf(seen) ?? `(${seen.step})`));
  for (const one of steps) see(one);
  return words;
}

const again = step("scored", { score: 4.62, again: true });
const good = step("scored", { score: 8.2, again: false });

describe("the way of a question", () => {
  test("says a rate limit as 429 with its wait, and a regeneration with its score", () => {
    const limited = step("waiting", { reason: "rate_limit", delay_ms: 2_140 });
    expect(told(limited, again, good, step("stored"))).toEqual([
      "429, waits 2.1 s",
      "scored 4.6, again",
      "scored 8.2",
      "stored",
    ]);
  });

  test("says nothing where the next step says it better", () => {
    for (const name of ["answered", "error", "scoring"] as const) expect(wordsOf(step(name))).toBeNull();
  });

  test("is told in order when the next handler was quicker than the sight of the last one", () => {
    const steps = [step("generating"), step("generating"), again, step("stored"), good];
    expect(told(...steps)).toEqual(["generating", "scored 4.6, again", "generating", "scored 8.2", "stored"]);
  });

  test("names a message once, however often it is delivered", () => {
    const first = step("generating");
    expect(told(first, first, good, step("stored"))).toEqual(["generating", "scored 8.2", "stored"]);
  });
});
