/**
 * What the routes answer, in JSON: results, statuses, refusals.
 *
 * In: what the application knows. Out: bodies and Responses. Never here: asking for it.
 */
import { CauceError } from "cauce";
import { problem } from "cauce/ingress";
import type { Result } from "../storage/results.ts";
import type { QuestionStatus } from "../storage/status.ts";
import { TooBusy } from "./admission.ts";

const RETRY_AFTER_SECONDS = 5;

export function shownResult(result: Result) {
  const { id, answer, score, rubric, below_threshold, model, judge, title, round, created_at } = result;
  return { id, title, answer, score, rubric, below_threshold, model, judge, round, created_at };
}

export function shownStatus({ id, title, round, state, since, waiting, reason, result }: QuestionStatus) {
  return {
    id,
    title,
    state,
    since,
    round,
    ...(waiting && { waiting_until: waiting.until, reason: waiting.reason }),
    ...(reason !== undefined && { reason }),
    ...(result && shownResult(result)),
    // A newer round may be on its way while an older one's result answers.
    ...(result && result.round !== round && { round, result_round: result.round }),
  };
}

export function isQuestionId(id: string): boolean {
  return /^[0-9a-f]{32}$/.test(id);
}

export function malformedId(): Response {
  const errors = [{ field: "id", message: "expected 32 hex digits, as POST /query answered" }];
  return problem(400, { title: "This is no question id", errors });
}

export function malformedWait(): Response {
  const errors = [{ field: "wait", message: "expected whole seconds, such as 20" }];
  return problem(400, { title: "The wait cannot be read", errors });
}

export function unknownQuestion(id: string): Response {
  return problem(404, { title: "No such question", detail: `nobody has asked ${id}; POST /query asks` });
}

/** What is away now is 503 with a time to come back; anything else is for the door to log and answer. */
export function refusal(thrown: unknown): Response {
  if (!(thrown instanceof CauceError)) throw thrown;
  if (thrown instanceof TooBusy) {
    const { retryAfterSeconds, message } = thrown;
    return notNow(message, retryAfterSeconds);
  }
  if (thrown.code === "unavailable") {
    return notNow(
      "the question can be neither answered nor kept at the moment; ask again in a few seconds",
      RETRY_AFTER_SECONDS,
    );
  }
  if (thrown.code === "record_too_large") {
    return problem(413, { title: "Too large", detail: "the broker takes no question as large as this one" });
  }
  throw thrown;
}

function notNow(detail: string, retryAfterSeconds: number): Response {
  return problem(503, {
    title: "Not now",
    detail,
    headers: { "retry-after": String(retryAfterSeconds) },
  });
}
