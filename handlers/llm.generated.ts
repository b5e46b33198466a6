/**
 * Scores an answer.
 *
 * In: an answer. Out: `llm.validated` when it passes threshold and accuracy gate; else `llm.requests` again with the best
 * answer so far and what to mend, while attempts remain; else `llm.validated` with the best so far, marked.
 */
import { RetryAfter, Unavailable } from "cauce";
import { failed, generated, requests, validated } from "../schema/topics.ts";
import { handler } from "./shared/deps.ts";
import { passes } from "./shared/judge/rubric.ts";
import { ModelError, Overloaded, RateLimited } from "./shared/model/model.ts";
import { ageOf, bestFrom, betterOf, endingOf, requestIn } from "./shared/flow/stages.ts";

export default handler({
  name: "llm.generated",
  on: generated,
  out: { validated, requests, failed },
  order: { by: "none" },
  concurrency: 64,
  timeout: "300s",
  retry: [[Error, { attempts: 5, delay: "linear", base: "5s" }]],
  async handle({ value, bornAt, deferrals }, { deps, out, signal }) {
    const { limits } = deps;
    const { title, content, best_answer, answer } = value;
    const scored = await deps.judge
      .score({ title, content, best_answer, answer }, signal)
      .catch((thrown: unknown) => steer(thrown, deferrals, limits));
    const { score, rubric, judge } = scored;
    const request = { ...requestIn(value), scores: [...(value.scores ?? []), score] };

    if (passes(scored, limits.regenThreshold)) {
      const { model, usage } = value;
      const result = { answer, model, score, rubric: { ...rubric }, judge, below_threshold: false };
      return out.validated({ ...request, ...result, ...(usage === undefined ? {} : { usage }) });
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

/** A judge that is a model fails as models do. The answer is there already: only its scoring has to wait. */
function steer(
  thrown: unknown,
  deferrals: number,
  { rateLimitBaseMs, capMs }: { readonly rateLimitBaseMs: number; readonly capMs: number },
): never {
  if (!(thrown instanceof ModelError)) throw thrown;
  if (thrown.error_type === "authentication") {
    throw new Unavailable(`the judge refuses us: ${thrown.message}`);
  }
  if (thrown instanceof RateLimited || thrown instanceof Overloaded) {
    const delayMs = thrown.retryAfterMs ?? Math.min(capMs, rateLimitBaseMs * 2 ** Math.min(deferrals, 50));
    throw new RetryAfter(`${Math.ceil(delayMs)}ms`, { reason: `the judge: ${thrown.error_type}` });
  }
  throw thrown;
}
