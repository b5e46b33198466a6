import { describe, expect, test } from "bun:test";
import type { Step } from "cauce/run";
import { QUESTION } from "../given-deps.ts";
import { stepsOf } from "./steps-of.ts";

const AT_MS = 1_000_000;
const step = (changes: Partial<Step>): Step => ({
  kind: "settled",
  handler: "llm.requests",
  topic: "llm.requests",
  messageId: "m",
  attempt: 1,
  deferrals: 0,
  delivery: 0,
  value: QUESTION,
  atMs: AT_MS,
  outcome: "done",
  ...changes,
});
const output = (topic: string, value: object, afterMs: number | null = null, reason = "") => ({
  outputs: [{ topic, value: { ...QUESTION, ...value }, afterMs, reason }],
});

describe("the steps of a question", () => {
  test("begin with generating, for which attempt", () => {
    expect(stepsOf(step({ kind: "started", value: { ...QUESTION, attempts: 2 } }))).toMatchObject([
      { id: QUESTION.id, round: 1, step: "generating", state: "generating", detail: { attempt: 3 } },
    ]);
  });

  test("tell a rate limit, then until when it waits", () => {
    const error = { error_type: "rate_limit", message: "slow down", retry_after_ms: 2_000 };
    expect(stepsOf(step(output("llm.errors", error)))).toMatchObject([{ step: "error", detail: error }]);
    const waiting = {
      handler: "llm.errors",
      ...output("llm.requests", { deferrals: 1 }, 2_100, "rate_limit"),
    };
    expect(stepsOf(step(waiting))).toMatchObject([
      {
        step: "waiting",
        state: "waiting",
        waiting: { reason: "rate_limit", untilMs: AT_MS + 2_100 },
        detail: { delay_ms: 2_100, deferrals: 1 },
      },
    ]);
  });

  test("tell the score of the answer, not of the best one, and whether it goes round again", () => {
    const again = output("llm.requests", { scores: [7, 4.6], best: { score: 7 } });
    expect(stepsOf(step({ handler: "llm.generated", ...again }))).toMatchObject([
      { step: "scored", state: "queued", detail: { score: 4.6, again: true } },
    ]);
    const passed = output("llm.validated", { scores: [8.2], score: 8.2, below_threshold: false });
    expect(stepsOf(step({ handler: "llm.generated", ...passed }))).toMatchObject([
      { step: "scored", detail: { score: 8.2, again: false } },
    ]);
  });

  test("end with stored, failed or dead", () => {
    expect(stepsOf(step({ handler: "llm.validated", value: { ...QUESTION, score: 8 } }))).toMatchObject([
      { step: "stored", detail: { score: 8 } },
    ]);
    expect(stepsOf(step({ handler: "llm.failed", value: { ...QUESTION, reason: "so" } }))).toMatchObject([
      { step: "failed", detail: { reason: "so" } },
    ]);
    expect(stepsOf(step({ outcome: "dead", reason: "TypeError", error: "x" }))).toMatchObject([
      { step: "dead", detail: { reason: "TypeError", error: "x" } },
    ]);
  });

  test("tell a retry of the runtime as waiting", () => {
    expect(stepsOf(step({ outcome: "retry", reason: "BadOutput", error: "x", delayMs: 500 }))).toMatchObject([
      { step: "retrying", state: "waiting", waiting: { reason: "BadOutput", untilMs: AT_MS + 500 } },
    ]);
  });

  test("are none for messages that carry no readable question", () => {
    for (const value of [undefined, null, 7, "x", {}, { id: "x", round: 1 }, { ...QUESTION, round: 0.5 }]) {
      expect(stepsOf(step({ kind: "started", value }))).toEqual([]);
    }
  });
});
