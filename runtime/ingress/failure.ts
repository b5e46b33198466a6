/**
 * Every failure of a request as problem details: the one place where exceptions become answers.
 *
 * In: what was thrown. Out: a Response. Never here: details of unexpected errors in the answer; they go to the log.
 */
import { CauceError } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";
import { ElysiaCustomStatusResponse, ValidationError } from "elysia";
import { fieldErrors } from "./field-errors.ts";
import { uncarriable, uncarried } from "./carried-text.ts";
import { problem } from "./problem.ts";
import { Refusal } from "./refusal.ts";

export interface FailureContext {
  readonly request: Request;
  readonly thrown: unknown;
  /** Elysia's word for what happened: "NOT_FOUND", "PARSE", "VALIDATION", … */
  readonly code: string;
  readonly log: Log;
  readonly retryAfterS: number;
  /** Methods that the asked path knows. */
  readonly methods: (path: string) => readonly string[];
}

/** The answer to a request that failed. Never rejects for a reason of its own. */
export async function answerFailure(context: FailureContext): Promise<Response> {
  const { thrown, code, retryAfterS } = context;
  const refusal = refusalIn(thrown);
  if (refusal) return refusal.toProblem();
  if (code === "NOT_FOUND") return notFound(context);
  if (code === "PARSE") return problem(400, { title: "The body could not be read" });
  if (thrown instanceof ValidationError && thrown.type !== "response") return await invalid(thrown);
  if (thrown instanceof ElysiaCustomStatusResponse) return chosenStatus(thrown.code, thrown.response);
  if (thrown instanceof CauceError && (thrown.code === "unavailable" || thrown.code === "broker")) {
    context.log.debug("a request met something that is away", { error: thrown });
    return problem(503, {
      title: "Not now",
      detail: "something that this needs is away; try again later",
      headers: { "retry-after": String(retryAfterS) },
    });
  }
  if (thrown instanceof CauceError && thrown.code === "record_too_large") {
    return problem(413, { title: "Too large", detail: "the broker takes no record as large as this" });
  }
  context.log.error(
    thrown instanceof ValidationError ? "a route's answer does not satisfy its schema" : "a request failed",
    {
      method: context.request.method,
      // The validation error's own text repeats the whole answer.
      error: thrown instanceof ValidationError ? await fieldErrors(thrown) : thrown,
    },
  );
  return problem(500, { title: "Internal error", detail: "the failure was logged" });
}

/** Text that cannot be carried is told as that, also where the schema refuses the field for it. */
async function invalid(thrown: Readonly<ValidationError>): Promise<Response> {
  const errors = await fieldErrors(thrown);
  const refused = new Set(errors.map(({ field }) => field));
  const broken = uncarried(thrown.value).filter(({ field }) => refused.has(field));
  if (broken.length > 0) return uncarriable(broken);
  return problem(422, {
    title: "The request is not valid",
    detail: `see the fields of its ${thrown.type}`,
    errors,
  });
}

/** Elysia wraps what a parser throws. */
function refusalIn(thrown: unknown): Refusal | null {
  if (thrown instanceof Refusal) return thrown;
  return thrown instanceof Error && thrown.cause instanceof Refusal ? thrown.cause : null;
}

function notFound({ request, methods }: FailureContext): Response {
  const path = new URL(request.url).pathname;
  const known = methods(path);
  if (known.length === 0)
    return problem(404, { title: "No such path", detail: "see /openapi/json for what there is" });
  const allow = known.join(", ");
  if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
  return problem(405, {
    title: "Method not allowed",
    detail: `this path knows ${allow}`,
    headers: { allow },
  });
}

/** A route threw `status(404, "…")`: its choice, in the common form. */
function chosenStatus(status: number, response: unknown): Response {
  return problem(status, {
    title: "Refused",
    ...(typeof response === "string" ? { detail: response } : {}),
  });
}
