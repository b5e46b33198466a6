/**
 * Scores an answer.
 *
 * In: an answer. Out: `llm.validated` when it passes threshold and accuracy gate; else `llm.requests` again with the best
 * answer so far and what to mend, while attempts remain; else `llm.validated` with the best so far, marked.
 */
import { RetryAfter, Unavailable, type Turn } from "cauce";
import { failed, generated, requests, validated } from "../schema/topics.ts";
import { expectedTokens, handler, modelLimit, type Deps } from "./shared/deps.ts";
import { passes } from "./shared/judge/rubric.ts";
import type { Judged, Judgement } from "./shared/judge/judge.ts";
import { ModelError, Overloaded, RateLimited } from "./shared/model/model.ts";
import { payOnce } from "./shared/model/pay-once.ts";
import { ageOf, bestFrom, betterOf, endingOf, requestIn } from "./shared/flow/stages.ts";

export default handler({
  name: "llm.generated",
  on: generated,
  out: { validated, requests, failed },
  order: { by: "none" },
  concurrency: 64,
  timeout: "300s",
  limit: modelLimit(({ judge }) => judge.model !== undefined),
  retry: [[Error, { attempts: 5, delay: "linear", base: "5s" }]],
  async handle({ value, bornAt, deferrals }, { deps, out, signal, turn }) {
    const { limits } = deps;
    const { title, content, best_answer, answer } = value;
    const scored = await scoreOnce(value, { title, content, best_answer, answer }, { deps, signal }).catch(
      (thrown: unknown) => steer(thrown, deferrals, { ...limits, turn }),
    );
    if (scored.usage !== undefined) {
      const { prompt_tokens, completion_tokens } = scored.usage;
      const tokens = prompt_tokens + completion_tokens - expectedTokens(value);
      turn.used({ requests: (scored.calls ?? 1) - 1, tokens });
    }
    const { score, rubric, judge, rubric_hash } = scored;
    const request = { ...requestIn(value), scores: [...(value.scores ?? []), score] };

    if (passes(scored, limits.regenThreshold)) {
      const { model, usage } = value;
      const result = { answer, model, score, rubric: { ...rubric }, judge, rubric_hash };
      return out.validated({
        ...request,
        ...result,
        below_threshold: false,
        ...(usage === undefined ? {} : { usage }),
      });
    }
    const candidate = bestFrom(value, scored);
    const best = betterOf(value.best, candidate);
    // Feedback always speaks of `best`: that is the answer that the model is asked to mend.
    const feedback = best === candidate ? scored.feedback : (value.feedback ?? scored.feedback);
    const improved = { ...request, best, feedback };
    const ageMs = ageOf(value, bornAt, deps.clock.nowMs());
    if (value.attempts < limits.maxAttempts && ageMs < limits.maxAgeMs) return out.requests(improved);
    const ending = endingOf(improved, "no answer passed");
    return ending.to === "validated" ? out.validated(ending.value) : out.failed(ending.value);
  },
});

/** A judge that is a model is paid once for each answer, as the model is; an answer that somebody put there is another one. */
async function scoreOnce(
  { id, round, attempts }: { readonly id: string; readonly round: number; readonly attempts: number },
  judged: Judged,
  { deps, signal }: { readonly deps: Deps; readonly signal: AbortSignal },
): Promise<Judgement> {
  const { judge, calls } = deps;
  const { model } = judge;
  if (model === undefined) return judge.score(judged, signal);
  const call = { id, round, attempt: attempts, purpose: "judge", model, prompt_version: judge.name } as const;
  const answer_hash = await hashOf(judged.answer);
  const known = await payOnce({
    calls,
    call,
    signal,
    ask: async () => ({ ...(await judge.score(judged, signal)), answer_hash }),
    write: (judgement) => ({
      judgement,
      model,
      usage: judgement.usage ?? { prompt_tokens: 0, completion_tokens: 0 },
    }),
    // Written by this very code.
    read: ({ judgement }) => judgement as unknown as Judgement & { readonly answer_hash: string },
    // The same answer is judged again: no failure of a judge is an end.
    ends: () => false,
  });
  return known.answer_hash === answer_hash ? known : judge.score(judged, signal);
}

/** First 32 hex digits of SHA-256. */
async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex().slice(0, 32);
}

/** A judge that is a model fails as models do. The answer is there already: only its scoring has to wait. */
function steer(
  thrown: unknown,
  deferrals: number,
  {
    rateLimitBaseMs,
    capMs,
    turn,
  }: { readonly rateLimitBaseMs: number; readonly capMs: number; readonly turn: Turn },
): never {
  if (!(thrown instanceof ModelError)) throw thrown;
  if (thrown.error_type === "authentication") {
    throw new Unavailable(`the judge refuses us: ${thrown.message}`);
  }
  if (thrown instanceof RateLimited || thrown instanceof Overloaded) {
    turn.refused({ retryAfterMs: thrown.retryAfterMs });
    const delayMs = thrown.retryAfterMs ?? Math.min(capMs, rateLimitBaseMs * 2 ** Math.min(deferrals, 50));
    throw new RetryAfter(`${Math.ceil(delayMs)}ms`, { reason: `the judge: ${thrown.error_type}` });
  }
  throw thrown;
}
