/**
 * Asks the model.
 *
 * In: a question, perhaps with the best answer so far and what was wrong with it. Out: `llm.generated` with the answer,
 * or `llm.errors` with the kind of failure. Never here: waiting, scoring, `best_answer` shown to the model.
 */
import { Unavailable } from "cauce";
import { errors, generated, requests } from "../schema/topics.ts";
import { handler } from "./shared/deps.ts";
import { BadOutput, ModelError } from "./shared/model/model.ts";
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
  retry: [[Error, { attempts: 5, delay: "linear", base: "5s" }]],
  async handle({ value, bornAt }, { deps, out, signal }) {
    const request = { ...requestIn(value), asked_at: value.asked_at ?? bornAt.toISOString() };
    const { title, content, best, feedback } = request;
    const asked = {
      title,
      content,
      ...(feedback === undefined ? {} : { feedback }),
      ...(best === undefined ? {} : { previous: best.answer }),
    };
    try {
      const { answer, model, usage } = await deps.model.answer(asked, signal);
      if (answer.length > LONGEST_ANSWER) {
        throw new BadOutput(`the answer has ${answer.length} characters, more than ${LONGEST_ANSWER}`);
      }
      return out.generated({
        ...request,
        attempts: request.attempts + 1,
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
      return out.errors({
        ...request,
        attempts: request.attempts + (error_type === "rate_limit" ? 0 : 1),
        error_type,
        message,
        ...(typeof wait === "number" ? { retry_after_ms: wait } : {}),
      });
    }
  },
});
