/**
 * Dependencies for tests of handlers: a model and a judge that say what they are told, time and chance that stand still.
 * Only tests import this file.
 */
import type { Failed, Request, Validated } from "../../schema/topics.ts";
import type { Deps } from "./deps.ts";
import type { Judgement } from "./judge/judge.ts";
import type { ModelQuestion } from "./model/model.ts";
import type { Call, Calls, Finished } from "./model/pay-once.ts";

export const NOW_MS = Date.parse("2026-01-01T12:00:00.000Z");

export interface GivenDeps extends Deps {
  /** What the model was asked. */
  readonly asked: ModelQuestion[];
  readonly stored: Validated[];
  readonly failed: Failed[];
}

export function givenDeps(told: {
  /** The model's answer, or what it throws. */
  readonly answer?: string | Error;
  /** Score with feedback; accuracy decides the gate. Or what the judge throws. */
  readonly score?: { readonly score: number; readonly accuracy: number; readonly feedback?: string } | Error;
  readonly unavailable?: Error;
}): GivenDeps {
  const asked: ModelQuestion[] = [];
  const stored: Validated[] = [];
  const failed: Failed[] = [];
  return {
    asked,
    stored,
    failed,
    model: {
      name: "told",
      answer(question) {
        asked.push(question);
        if (told.answer instanceof Error) return Promise.reject(told.answer);
        const usage = { prompt_tokens: 3, completion_tokens: 2 };
        return Promise.resolve({ answer: told.answer ?? "42", model: "told-1", usage });
      },
    },
    judge: {
      name: "told",
      score: () =>
        told.score instanceof Error
          ? Promise.reject(told.score)
          : Promise.resolve(judgement(told.score ?? { score: 9, accuracy: 10 })),
    },
    calls: callsInMemory(),
    results: {
      store: (value) => keep(stored, value, told.unavailable),
      fail: (value) => keep(failed, value, told.unavailable),
    },
    limits: {
      model: { requestsPerMinute: undefined, tokensPerMinute: undefined, inFlight: undefined },
      maxAttempts: 5,
      maxAgeMs: 3_600_000,
      rateLimitBaseMs: 2_000,
      failureBaseMs: 5_000,
      capMs: 600_000,
      regenThreshold: 6,
    },
    clock: { nowMs: () => NOW_MS },
    random: () => 0,
  };
}

export const QUESTION: Request = {
  id: "0123456789abcdef0123456789abcdef",
  title: "What is the answer?",
  content: "The answer is 42.",
  best_answer: "forty-two",
  attempts: 0,
  round: 1,
  deferrals: 0,
  asked_at: "2026-01-01T11:59:00.000Z",
};

export const BEST = {
  answer: "41",
  score: 4,
  rubric: { accuracy: 6, completeness: 3, clarity: 3, conciseness: 3, usefulness: 3 },
  model: "told-1",
  gate_passed: true,
  judge: "told",
};

function judgement(told: { score: number; accuracy: number; feedback?: string }): Judgement {
  const { score, accuracy, feedback = "say more" } = told;
  const rubric = { accuracy, completeness: 5, clarity: 5, conciseness: 5, usefulness: 5 };
  return { score, rubric, gate_passed: accuracy >= 5, feedback, judge: "told", rubric_hash: "0123456789ab" };
}

/** Calls that are written down as long as the test lasts. Exported for tests that hand the same ones to two handlers. */
export function callsInMemory(): Calls {
  const rows = new Map<string, Finished | null>();
  const keyOf = ({ id, round, attempt, purpose }: Call) => `${id}/${round}/${attempt}/${purpose}`;
  return {
    begin(call) {
      const known = rows.get(keyOf(call));
      if (known === null) return Promise.resolve({ kind: "busy", remainingMs: 1_000 });
      if (known !== undefined) return Promise.resolve({ kind: "finished", finished: known });
      rows.set(keyOf(call), null);
      return Promise.resolve({ kind: "mine", token: "told" });
    },
    finish(call, _token, finished) {
      rows.set(keyOf(call), finished);
      return Promise.resolve(finished);
    },
    giveBack(call) {
      rows.delete(keyOf(call));
      return Promise.resolve();
    },
  };
}

function keep<T>(list: T[], value: T, unavailable: Error | undefined): Promise<void> {
  if (unavailable) return Promise.reject(unavailable);
  list.push(value);
  return Promise.resolve();
}
