import { describe, expect, test } from "bun:test";
import { Unavailable } from "cauce";
import { given } from "cauce/testing";
import failed from "./llm.failed.ts";
import { givenDeps, QUESTION } from "./shared/given-deps.ts";

const value = { ...QUESTION, reason: "all 5 attempts are spent" };

describe("llm.failed", () => {
  test("ends the question with its reason and sends nothing on", async () => {
    const deps = givenDeps({});
    await given(failed, { deps }).when(value).emitsNothing();
    expect(deps.failed).toMatchObject([{ id: QUESTION.id, reason: value.reason }]);
  });

  test("waits, with no attempt spent, while the database is away", async () => {
    const deps = givenDeps({ unavailable: new Unavailable("Postgres is away") });
    const { outcome } = await given(failed, { deps }).when(value).processed();
    expect(outcome.kind).toBe("unavailable");
  });
});
