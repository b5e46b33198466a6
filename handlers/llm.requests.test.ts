import { describe, expect, test } from "bun:test";
import { given } from "cauce/testing";
import requests from "./llm.requests.ts";
import { BEST, givenDeps, QUESTION } from "./shared/given-deps.ts";
import { ContextTooLong, ModelTimeout, Overloaded, RateLimited, Unauthorized } from "./shared/model/model.ts";

describe("llm.requests", () => {
  test("sends the model's answer on, the attempt counted", async () => {
    const deps = givenDeps({ answer: "42" });
    await given(requests, { deps })
      .when({ ...QUESTION, attempts: 2, deferrals: 3 })
      .emits({
        generated: {
          id: QUESTION.id,
          answer: "42",
          model: "told-1",
          usage: { prompt_tokens: 3, completion_tokens: 2 },
          attempts: 3,
          deferrals: 3,
          round: 1,
        },
      });
  });

  test("asks once for each attempt, however often its message comes: answer and failure are found again", async () => {
    for (const told of [{ answer: "42" }, { answer: new ModelTimeout("late") }]) {
      const deps = givenDeps(told);
      const [first, second] = [
        await given(requests, { deps }).when(QUESTION).processed(),
        await given(requests, { deps }).when(QUESTION).processed(),
      ];
      expect(deps.asked).toHaveLength(1);
      expect(second.emissions.map(({ value }) => value)).toEqual(first.emissions.map(({ value }) => value));
      await given(requests, { deps })
        .when({ ...QUESTION, attempts: 1 })
        .processed();
      expect(deps.asked).toHaveLength(2);
    }
  });

  test("asks again after a rate limit, which spent no attempt", async () => {
    const deps = givenDeps({ answer: new RateLimited("slow down") });
    for (let time = 0; time < 2; time++) await given(requests, { deps }).when(QUESTION).processed();
    expect(deps.asked).toHaveLength(2);
  });

  test("never shows the reference answer to the model", async () => {
    const deps = givenDeps({});
    await given(requests, { deps }).when(QUESTION).processed();
    expect(deps.asked).toEqual([{ title: QUESTION.title, content: QUESTION.content }]);
  });

  test("shows the best answer so far and what was wrong with it when it asks again", async () => {
    const deps = givenDeps({});
    await given(requests, { deps })
      .when({ ...QUESTION, attempts: 1, best: BEST, feedback: "too short" })
      .processed();
    expect(deps.asked[0]).toMatchObject({ previous: "41", feedback: "too short" });
  });

  test("hands a rate limit on with the time that was asked for, and burns no attempt", async () => {
    await given(requests, { deps: givenDeps({ answer: new RateLimited("slow down", 1_500) }) })
      .when({ ...QUESTION, attempts: 1, deferrals: 2 })
      .emits({
        errors: {
          error_type: "rate_limit",
          message: "slow down",
          retry_after_ms: 1_500,
          attempts: 1,
          deferrals: 2,
        },
      });
  });

  test("counts every other failure as an attempt", async () => {
    for (const [error, error_type] of [
      [new ModelTimeout("late"), "timeout"],
      [new Overloaded("busy"), "overloaded"],
      [new ContextTooLong("long"), "context_too_long"],
    ] as const) {
      await given(requests, { deps: givenDeps({ answer: error }) })
        .when(QUESTION)
        .emits({ errors: { error_type, attempts: 1, deferrals: 0 } });
    }
  });

  test("refuses an answer that no topic could carry, as bad output", async () => {
    await given(requests, { deps: givenDeps({ answer: "x".repeat(60_000) }) })
      .when(QUESTION)
      .emits({ errors: { error_type: "bad_output", attempts: 1 } });
  });

  test("waits without spending anything while the key is refused", async () => {
    const { outcome } = await given(requests, {
      deps: givenDeps({ answer: new Unauthorized("no such key") }),
    })
      .when(QUESTION)
      .processed();
    expect(outcome.kind).toBe("unavailable");
  });

  test("leaves errors that are no model's to the retry rules", async () => {
    await given(requests, { deps: givenDeps({ answer: new TypeError("a defect") }) })
      .when(QUESTION)
      .retries();
  });

  test("keeps fields that it does not know, and drops those of later stages", async () => {
    const { emissions } = await given(requests, { deps: givenDeps({}) })
      .when({ ...QUESTION, from_the_future: 7, error_type: "timeout", message: "old" })
      .processed();
    expect(emissions[0]?.value).toMatchObject({ from_the_future: 7 });
    expect(emissions[0]?.value).not.toHaveProperty("error_type");
  });
});
