import { describe, expect, test } from "bun:test";
import { Unavailable } from "cauce";
import { given } from "cauce/testing";
import validated from "./llm.validated.ts";
import { givenDeps, QUESTION } from "./shared/given-deps.ts";

const result = {
  ...QUESTION,
  answer: "42",
  model: "told-1",
  score: 9,
  rubric: { accuracy: 10 },
  below_threshold: false,
};

describe("llm.validated", () => {
  test("stores the result and sends nothing on", async () => {
    const deps = givenDeps({});
    await given(validated, { deps }).when(result).emitsNothing();
    expect(deps.stored).toMatchObject([{ id: QUESTION.id, answer: "42", score: 9 }]);
  });

  test("waits, with no attempt spent, while the database is away", async () => {
    const deps = givenDeps({ unavailable: new Unavailable("Postgres is away") });
    const { outcome } = await given(validated, { deps }).when(result).processed();
    expect(outcome.kind).toBe("unavailable");
  });
});
