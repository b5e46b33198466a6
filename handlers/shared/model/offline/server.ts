/**
 * The offline model as an OpenAI-compatible HTTP server, for any host that has Request and Response.
 *
 * In: POST /v1/chat/completions, GET /v1/models, PUT /offline/script. Out: chat completions labelled as the offline model's,
 * or the faults it was told to make. Never here: sockets (see start.ts), the reference answer, streaming.
 */
import { CauceError, pause, systemClock, type Clock } from "cauce";
import type { RecordedAnswers } from "../../questions/recorded.ts";
import { questionId } from "../../questions/identity.ts";
import { tokens } from "../../text/tokens.ts";
import { questionIn } from "../prompt.ts";
import type { ModelQuestion } from "../model.ts";
import { answerOffline, badAnswer, type OfflineAnswer } from "./answer.ts";
import type { Pace, PaceOf } from "./pace.ts";
import { faultResponse } from "./fault-response.ts";
import { parseScript, planOf, replyTo, type FaultRates, type ScriptEntry } from "./script.ts";

/** The `model` of every answer: nobody can take it for another one. */
export const OFFLINE_MODEL = "cauce-offline-1";

/** A request header with replies for this question, as in a script: "rate_limit:2s,timeout,ok". */
export const REPLIES_HEADER = "x-offline-replies";
/** A request header that says which attempt this is, from 1. Without it the server counts calls per question. */
export const ATTEMPT_HEADER = "x-offline-attempt";

export interface OfflineModelOptions {
  /** Shares of calls that go wrong, decided by (seed, title, attempt). */
  readonly faults?: FaultRates;
  readonly script?: readonly ScriptEntry[];
  /** Default 1. */
  readonly seed?: string | number;
  readonly recorded?: RecordedAnswers;
  /** How long every answer takes. Default 0. */
  readonly latencyMs?: number;
  /** Latency and usage as in a recorded trace, instead of `latencyMs` and counted words. */
  readonly pace?: PaceOf;
  /** How long `slow` takes when its directive does not say. Default 3,000. */
  readonly slowMs?: number;
  /** The Retry-After of `rate_limit` and `overloaded` when their directive does not say. Default 1,000. */
  readonly retryAfterMs?: number;
  readonly clock?: Clock;
}

/** Bounds: the body that is read, the questions that are counted, and how long a call may hang. */
const LONGEST_BODY_BYTES = 4 * 1024 * 1024;
const MOST_COUNTED_QUESTIONS = 100_000;
const LONGEST_HANG_MS = 600_000;

export function offlineModel(options: OfflineModelOptions = {}): (request: Request) => Promise<Response> {
  const { latencyMs = 0, slowMs = 3_000, retryAfterMs = 1_000, clock = systemClock } = options;
  let plan = planOf(options);
  const calls = new Map<string, number>();

  return async (request) => {
    const { pathname } = new URL(request.url);
    const route = `${request.method} ${pathname}`;
    if (route === "GET /v1/models") {
      return Response.json({
        object: "list",
        data: [{ id: OFFLINE_MODEL, object: "model", owned_by: "cauce" }],
      });
    }
    if (route === "PUT /offline/script") return answerScript(request);
    if (route === "POST /v1/chat/completions") return answerChat(request);
    return failure(404, "not_found", "the offline model serves /v1/chat/completions and /v1/models");
  };

  /** Replaces the script and starts counting anew. JSON only, so that no web page can send it unasked. */
  async function answerScript(request: Request): Promise<Response> {
    const body = await readJson(request);
    if ("problem" in body) return body.problem;
    try {
      plan = { ...plan, script: parseScript(body.value) };
    } catch (thrown) {
      return refusal(thrown);
    }
    calls.clear();
    return Response.json({ entries: plan.script.length });
  }

  async function answerChat(request: Request): Promise<Response> {
    const body = await readJson(request);
    if ("problem" in body) return body.problem;
    const messages = (body.value as { readonly messages?: unknown } | null)?.messages;
    if (
      !Array.isArray(messages) ||
      !messages.every((message) => typeof message === "object" && message !== null)
    ) {
      return failure(400, "invalid_request_error", '"messages" should be a list of messages');
    }
    const question = questionIn(messages as readonly Readonly<Record<string, unknown>>[]);
    if (question === undefined)
      return failure(400, "invalid_request_error", "there is no user message with a text");
    const attempt = attemptOf(request, question);
    try {
      const told = request.headers.get(REPLIES_HEADER);
      const reply = replyTo(plan, { title: question.title, attempt, ...(told === null ? {} : { told }) });
      if (reply.kind === "timeout") await pause(clock, LONGEST_HANG_MS, request.signal);
      const fault = faultResponse(reply, { retryAfterMs, draw: `${question.title}\u001f${attempt}` });
      if (fault !== undefined) return fault;
      const pace = options.pace?.(questionId(question), attempt);
      const usualMs = pace?.delayMs ?? latencyMs;
      await pause(clock, reply.kind === "slow" ? (reply.delayMs ?? slowMs) : usualMs, request.signal);
      const answer =
        reply.kind === "bad_answer"
          ? { text: badAnswer(question), source: "bad_answer" as const }
          : answerOffline(question, {
              attempt,
              ...(options.recorded && { recorded: options.recorded }),
            });
      return completion(question, answer, attempt, clock.nowMs(), pace);
    } catch (thrown) {
      return refusal(thrown);
    }
  }

  function attemptOf(request: Request, question: ModelQuestion): number {
    const told = Number(request.headers.get(ATTEMPT_HEADER) ?? NaN);
    if (Number.isSafeInteger(told) && told >= 1) return told;
    const id = questionId(question);
    const attempt = (calls.get(id) ?? 0) + 1;
    calls.delete(id);
    calls.set(id, attempt);
    const oldest = calls.keys().next().value;
    if (calls.size > MOST_COUNTED_QUESTIONS && oldest !== undefined) calls.delete(oldest);
    return attempt;
  }
}

function completion(
  question: ModelQuestion,
  answer: { readonly text: string; readonly source: OfflineAnswer["source"] | "bad_answer" },
  attempt: number,
  nowMs: number,
  pace: Pace | undefined,
): Response {
  const prompt_tokens = pace?.promptTokens ?? tokens(`${question.title} ${question.content}`).length;
  const completion_tokens = pace?.completionTokens ?? tokens(answer.text).length;
  return Response.json({
    id: `offline-${nowMs}-${attempt}`,
    object: "chat.completion",
    created: Math.floor(nowMs / 1_000),
    model: OFFLINE_MODEL,
    system_fingerprint: OFFLINE_MODEL,
    choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: answer.text } }],
    usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
    // Beyond OpenAI's fields: where the answer is from.
    cauce_offline: { source: answer.source, attempt },
  });
}

async function readJson(
  request: Request,
): Promise<{ readonly value: unknown } | { readonly problem: Response }> {
  if (!/^application\/json\b/i.test(request.headers.get("content-type") ?? "")) {
    return { problem: failure(415, "invalid_request_error", "send application/json") };
  }
  if (Number(request.headers.get("content-length") ?? 0) > LONGEST_BODY_BYTES) {
    return { problem: failure(413, "invalid_request_error", `send at most ${LONGEST_BODY_BYTES} bytes`) };
  }
  try {
    return { value: (await request.json()) as unknown };
  } catch {
    return { problem: failure(400, "invalid_request_error", "the body is no JSON") };
  }
}

function refusal(thrown: unknown): Response {
  if (thrown instanceof CauceError) return failure(400, "invalid_request_error", thrown.message);
  throw thrown;
}

function failure(status: number, code: string, message: string): Response {
  return Response.json({ error: { message, type: code, code } }, { status });
}
