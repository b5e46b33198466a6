import { describe, expect, test } from "bun:test";
import { given } from "cauce/testing";
import errors from "./llm.errors.ts";
import { BEST, givenDeps, QUESTION } from "./shared/given-deps.ts";

const failure = { ...QUESTION, error_type: "timeout", message: "late", attempts: 1 };
const errorsGiven = () => given(errors, { deps: givenDeps({}) });

describe("llm.errors", () => {
  test("sends a rate limit back later, one deferral more, no attempt spent", async () => {
    const scenario = errorsGiven().when({ ...failure, error_type: "rate_limit", attempts: 0, deferrals: 2 });
    await scenario.emits({ requests: { id: QUESTION.id, attempts: 0, deferrals: 3 } });
    await scenario.emitsLater({ topic: "llm.requests", after: "8s" });
  });

  test("lets Retry-After win", async () => {
    await errorsGiven()
      .when({ ...failure, error_type: "rate_limit", deferrals: 5, retry_after_ms: 1_234 })
      .emitsLater({ topic: "llm.requests", after: "1234ms" });
  });

  test("sends a timeout back after base times attempts, the counters kept", async () => {
    const scenario = errorsGiven().when({ ...failure, attempts: 3, deferrals: 1 });
    await scenario.emits({ requests: { attempts: 3, deferrals: 1 } });
    await scenario.emitsLater({ topic: "llm.requests", after: "15s" });
  });

  test("says in the schedule why it waits, and takes the error out of the request", async () => {
    const { emissions } = await errorsGiven().when(failure).processed();
    expect(emissions[0]?.reason).toBe("timeout");
    expect(emissions[0]?.value).not.toHaveProperty("error_type");
    expect(emissions[0]?.value).not.toHaveProperty("message");
  });

  test("fails the question with the last error when the attempts are spent", async () => {
    await errorsGiven()
      .when({ ...failure, attempts: 5 })
      .emits({
        failed: {
          id: QUESTION.id,
          reason: "all 5 attempts are spent; the last error was timeout: late",
        },
      });
  });

  test("delivers the best answer so far, marked, when the attempts are spent", async () => {
    await errorsGiven()
      .when({ ...failure, attempts: 5, best: BEST })
      .emits({
        validated: { answer: "41", score: 4, below_threshold: true, model: "told-1", judge: "told" },
      });
  });

  test("ends a question that is older than its greatest age, rate limit or not", async () => {
    await errorsGiven()
      .when({ ...failure, error_type: "rate_limit", asked_at: "2026-01-01T10:00:00.000Z" })
      .emits({ failed: { id: QUESTION.id } });
  });
});
