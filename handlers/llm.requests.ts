/**
 * Asks the model.
 *
 * In: a question, perhaps with the best answer so far and what was wrong with it. Out: `llm.generated` with the answer,
 * or `llm.errors` with the kind of failure; either is written down before it is sent on, so that a repeat asks nobody.
 * Never here: waiting, scoring, `best_answer` shown to the model.
 */
import { Unavailable } from "cauce";
import { errors, generated, requests } from "../schema/topics.ts";
import { expectedTokens, handler, modelLimit, type Deps } from "./shared/deps.ts";
import { BadOutput, ModelError, type ModelQuestion } from "./shared/model/model.ts";
import { payOnce } from "./shared/model/pay-once.ts";
import { PROMPT_VERSION } from "./shared/model/prompt.ts";
import { requestIn } from "./shared/flow/stages.ts";

/** In UTF-16 units: question, best and new answer together stay below Kafka's usual limit of 1 MB. */
const LONGEST_ANSWER = 50_000;

export default handler({
  name: "llm.requests",
  on: requests,
  out: { generated, errors },
  // One question never depends on another: a slow answer holds nobody up.
  order: { by: "none" },
  concurrency: 64,
  // Above the longest model deadline that can be set.
  timeout: "150s",
  limit: modelLimit(),
  retry: [[Error, { attempts: 5, delay: "linear", base: "5s" }]],
  async handle({ value, bornAt }, { deps, out, signal, turn }) {
    const request = { ...requestIn(value), asked_at: value.asked_at ?? bornAt.toISOString() };
    const { title, content, best, feedback } = request;
    const asked = {
      title,
      content,
      ...(feedback === undefined ? {} : { feedback }),
      ...(best === undefined ? {} : { previous: best.answer }),
    };
    const attempts = request.attempts + 1;
    try {
      const { answer, model, usage } = await answerOnce({ ...request, attempts }, asked, { deps, signal });
      turn.used({ tokens: usage.prompt_tokens + usage.completion_tokens - expectedTokens(value) });
      return out.generated({
        ...request,
        attempts,
        answer,
        model,
        usage: { ...usage },
      });
    } catch (thrown) {
      if (!(thrown instanceof ModelError)) throw thrown;
      const { error_type, message } = thrown;
      // A wrong key fails every question alike: none is spent on it, all wait until somebody acts.
      if (error_type === "authentication") throw new Unavailable(`the model refuses us: ${message}`);
      const wait = "retryAfterMs" in thrown ? thrown.retryAfterMs : undefined;
      const retryAfterMs = typeof wait === "number" ? wait : undefined;
      if (error_type === "rate_limit" || error_type === "overloaded") turn.refused({ retryAfterMs });
      return out.errors({
        ...request,
        attempts: error_type === "rate_limit" ? request.attempts : attempts,
        error_type,
        message,
        ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
      });
    }
  },
});

/** One attempt, one call: whoever has made it before is not asked again. */
function answerOnce(
  { id, round, attempts }: { readonly id: string; readonly round: number; readonly attempts: number },
  asked: ModelQuestion,
  { deps, signal }: { readonly deps: Deps; readonly signal: AbortSignal },
) {
  return payOnce({
    calls: deps.calls,
    call: {
      id,
      round,
      attempt: attempts,
      purpose: "answer",
      model: deps.model.name,
      prompt_version: PROMPT_VERSION,
    },
    signal,
    async ask() {
      const answered = await deps.model.answer(asked, signal);
      const { length } = answered.answer;
      if (length <= LONGEST_ANSWER) return answered;
      throw new BadOutput(`the answer has ${length} characters, more than ${LONGEST_ANSWER}`, answered.usage);
    },
    write: ({ answer, model, usage }) => ({ answer, model, usage }),
    read: ({ answer = "", model, usage }) => ({ answer, model, usage }),
    // A rate limit and a wrong key spend no attempt, so the same attempt asks again.
    ends: ({ error_type }) => error_type !== "rate_limit" && error_type !== "authentication",
  });
}
