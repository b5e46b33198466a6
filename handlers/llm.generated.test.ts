import { describe, expect, test } from "bun:test";
import { given } from "cauce/testing";
import generated from "./llm.generated.ts";
import { BEST, givenDeps, QUESTION } from "./shared/given-deps.ts";
import type { Judge } from "./shared/judge/judge.ts";
import { BadOutput, RateLimited, Unauthorized } from "./shared/model/model.ts";

const answered = { ...QUESTION, attempts: 1, answer: "42", model: "told-1", usage: { total_tokens: 5 } };

describe("llm.generated", () => {
  test("validates an answer that passes threshold and gate, with score, rubric and judge", async () => {
    await given(generated, { deps: givenDeps({ score: { score: 6, accuracy: 5 } }) })
      .when(answered)
      .emits({
        validated: {
          answer: "42",
          score: 6,
          rubric: { accuracy: 5, clarity: 5 },
          below_threshold: false,
          judge: "told",
          rubric_hash: "0123456789ab",
          model: "told-1",
          usage: { total_tokens: 5 },
          attempts: 1,
        },
      });
  });

  test("asks again under the threshold, at once, with the best so far and the feedback", async () => {
    const scenario = given(generated, { deps: givenDeps({ score: { score: 5.99, accuracy: 9 } }) }).when(
      answered,
    );
    await scenario.emits({
      requests: {
        attempts: 1,
        best: { answer: "42", score: 5.99, model: "told-1", judge: "told" },
        feedback: "say more",
        scores: [5.99],
      },
    });
    const { emissions } = await scenario.processed();
    expect(emissions[0]?.afterMs).toBeNull();
    expect(emissions[0]?.value).not.toHaveProperty("answer");
  });

  test("asks again when accuracy fails its gate, whatever the score", async () => {
    await given(generated, { deps: givenDeps({ score: { score: 6, accuracy: 0 } }) })
      .when(answered)
      .emits({ requests: { best: { answer: "42", score: 6, gate_passed: false } } });
  });

  test("keeps the better of two answers, and the feedback that belongs to it", async () => {
    const again = { ...answered, attempts: 2, best: BEST, feedback: "about the best", scores: [4] };
    await given(generated, { deps: givenDeps({ score: { score: 3, accuracy: 9 } }) })
      .when(again)
      .emits({ requests: { best: { answer: "41", score: 4 }, feedback: "about the best", scores: [4, 3] } });
    await given(generated, { deps: givenDeps({ score: { score: 5, accuracy: 9 } }) })
      .when(again)
      .emits({ requests: { best: { answer: "42", score: 5 }, feedback: "say more", scores: [4, 5] } });
  });

  test("prefers an answer that passes the gate to a wrong one with a higher score", async () => {
    await given(generated, { deps: givenDeps({ score: { score: 6, accuracy: 0 } }) })
      .when({ ...answered, attempts: 2, best: BEST })
      .emits({ requests: { best: { answer: "41" } } });
  });

  test("delivers the best so far, marked, when the attempts are spent", async () => {
    await given(generated, { deps: givenDeps({ score: { score: 3, accuracy: 9 } }) })
      .when({ ...answered, attempts: 5, best: BEST })
      .emits({ validated: { answer: "41", score: 4, below_threshold: true, attempts: 5, scores: [3] } });
    await given(generated, { deps: givenDeps({ score: { score: 3, accuracy: 9 } }) })
      .when({ ...answered, attempts: 5 })
      .emits({ validated: { answer: "42", score: 3, below_threshold: true } });
  });

  test("delivers the best so far when the question is older than its greatest age", async () => {
    await given(generated, { deps: givenDeps({ score: { score: 3, accuracy: 9 } }) })
      .when({ ...answered, asked_at: "2026-01-01T10:00:00.000Z" })
      .emits({ validated: { below_threshold: true } });
  });

  test("asks a judge that is a model once for an answer, and again for another answer in its place", async () => {
    const told = givenDeps({});
    let asked = 0;
    const judge: Judge = {
      ...told.judge,
      model: "m",
      score: (...judged) => {
        asked++;
        return told.judge.score(...judged);
      },
    };
    const deps = { ...told, judge };
    const [first, second] = [
      await given(generated, { deps }).when(answered).processed(),
      await given(generated, { deps }).when(answered).processed(),
    ];
    expect(asked).toBe(1);
    expect(second.emissions.map(({ value }) => value)).toEqual(first.emissions.map(({ value }) => value));
    await given(generated, { deps })
      .when({ ...answered, answer: "by hand" })
      .emits({ validated: { answer: "by hand" } });
    expect(asked).toBe(2);
  });

  test("waits for a judge that is rate limited, and burns nothing", async () => {
    const scenario = given(generated, {
      deps: givenDeps({ score: new RateLimited("slow down", 3_000) }),
    }).when(answered);
    await scenario.retries("3s");
    const { outcome } = await scenario.processed();
    expect(outcome).toMatchObject({ kind: "retry", schedule: { attempts: 0, deferrals: 1 } });
  });

  test("tries again when the judge gives nonsense, and waits while it refuses the key", async () => {
    await given(generated, { deps: givenDeps({ score: new BadOutput("no JSON") }) })
      .when(answered)
      .retries();
    const { outcome } = await given(generated, { deps: givenDeps({ score: new Unauthorized("no") }) })
      .when(answered)
      .processed();
    expect(outcome.kind).toBe("unavailable");
  });
});
